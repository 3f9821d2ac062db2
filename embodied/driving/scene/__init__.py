"""Corner cases made from specifications: what is where (`spec`), its picture (`render`), what is true of it
(`annotate`), and the embedded set (`sets`).
"""
