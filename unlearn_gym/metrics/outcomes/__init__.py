"""What came of a deletion request, by what samples show."""
