"""The format `lerobot`: a run as a LeRobot dataset of layout v3.0, which `LeRobotDataset` reads from a folder.

    meta/info.json                                  features, numbers, names of the actions
    meta/tasks.parquet                              goal -> task_index
    meta/episodes/chunk-000/file-000.parquet        a row an episode: where its frames are, its statistics
    meta/stats.json                                 statistics of all frames
    data/chunk-000/file-000.parquet                 a row a frame, pictures as PNG in it; a row group an episode

The layout is that of huggingface/lerobot, src/lerobot/datasets (version 0.4 and later).
"""
