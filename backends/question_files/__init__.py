"""Files of questions and answers, as people and programs write them: training pairs and question sets alike."""
