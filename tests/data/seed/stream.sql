CREATE STREAM httpDemo() WITH (FORMAT="json", TYPE="httppush")
