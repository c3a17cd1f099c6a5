"""Jobs in Google's Firestore: a document per header, one batch per write, no transactions."""

from atelier.stores.firestore.store import FirestoreStore

__all__ = ["FirestoreStore"]
