"""A software rasteriser in NumPy: the pictures of paths in 3D and of roads, identical on every run, with no GL and no
display.

World: x right (east), y forward (north), z up, metres. `render(meshes, camera, ...)` gives colour, depth and instance
ids.
"""

from embodied.raster.camera import Camera
from embodied.raster.faces import Faces
from embodied.raster.mesh import Mesh, box, boxes, concatenate, cone, cylinder, disc, frustum, prism, sphere
from embodied.raster.render import Fog, Light, Rendering, project, render

__all__ = [
    "Camera",
    "Faces",
    "Fog",
    "Light",
    "Mesh",
    "Rendering",
    "box",
    "boxes",
    "concatenate",
    "cone",
    "cylinder",
    "disc",
    "frustum",
    "prism",
    "project",
    "render",
    "sphere",
]
