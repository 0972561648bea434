"""The course's exercises with their answers, one file for each part. Do not peek: ask for hints."""
