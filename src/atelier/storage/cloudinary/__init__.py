"""Pictures at Cloudinary. Its SDK is imported by `storage` alone, and that only where it is used."""
