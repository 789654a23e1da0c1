import time, json, cProfile, pstats
from tests.conftest import Scene, edit
from tests.change_scenes import *
def test_probe(scene: Scene, clearspot, capfd):
    make_small(scene)
    scene.studio.voice.seconds_a_character = 0.02
    for a in (("--locale","es-ES","--profile","podcast"),(),()):
        t=time.perf_counter(); c=time.process_time()
        code,out,err=clearspot("run",scene.spot,"--runner","inline","--out",scene.out,"--json",*a)
        with capfd.disabled(): print(a, code, round(time.perf_counter()-t,2), round(time.process_time()-c,2), err, [(d["verdict"],d["error"]) for d in json.loads(out)["deliverables"]])
