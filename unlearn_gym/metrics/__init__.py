"""What is measured of a model; ``glossary`` says what every number means."""
