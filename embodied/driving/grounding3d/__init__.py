"""3D grounding: "where is it", answered as a box in metres in the camera's frame (Cube-LLM's form) over the procedural
scenes.
"""
