"""Front door D: storyboards, which are styles times beats, drawn by pools of keys into a project's folder."""
