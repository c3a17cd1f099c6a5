"""English words that carry no topic: articles, pronouns, prepositions, auxiliaries, and what opens a sentence."""

from __future__ import annotations

from typing import Final

_WORDS = """
a about above across after again against ago all almost along already also although always am among an and another any
anybody anyone anything are aren't around as at away back be became because become becomes been before behind being
below beside besides between beyond both but by came can can't cannot come comes could couldn't did didn't do does
doesn't doing don't done down during each either else enough especially etc even ever every everybody everyone
everything few for from further get gets getting give gives go goes going gone got had hadn't has hasn't have haven't
having he he's hence her here hers herself him himself his how however i i'm i've if in indeed instead into is isn't it
it's its itself just keep keeps know known less let let's like likely made make makes making many may maybe me might
mine more moreover most much must my myself near need needs neither never next no nobody none nor not nothing now of off
often on once one one's only onto or other others otherwise ought our ours ourselves out over own per perhaps put quite
rather really said same say says see seem seems seen several shall she should shouldn't since so some somebody someone
something sometimes still such take takes than that that's the their theirs them themselves then there there's therefore
these they they're they've thing things this those though through throughout thus to together too toward towards under
unless until up upon us use used uses using usually very via was wasn't way ways we we're we've well went were weren't
what what's whatever when where whereas wherever whether which while who who's whoever whole whom whose why will with
within without won't would wouldn't yes yet you you'll you're you've your yours yourself yourselves
"""

STOP_WORDS: Final = frozenset(_WORDS.split())
"""In small letters, with straight apostrophes."""
