"""From records to a report: tables, sentences, pictures, Markdown and HTML."""
