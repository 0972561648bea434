"""What the valgrind tool makes of a report; running it takes minutes and valgrind."""

import subprocess
import sys
import xml.etree.ElementTree as ET

from tools import memcheck

ERROR = """
<error><kind>InvalidRead</kind><what>Invalid read of size 4</what>
  <stack><frame><ip>0x10</ip>{obj}</frame>
         <frame><ip>0x20</ip><obj>/usr/bin/python</obj><fn>_PyEval</fn></frame></stack>
  <auxwhat>Address is 0 bytes after a block</auxwhat>
  <stack><frame><ip>0x30</ip></frame></stack>
</error>"""


def test_errors_in_generated_code_are_told_from_others():
    ours = ET.fromstring(ERROR.format(obj=""))
    theirs = ET.fromstring(ERROR.format(obj="<obj>/lib/libm.so</obj><fn>sin</fn>"))
    assert memcheck.generated(ours) and not memcheck.generated(theirs)
    assert memcheck.described(ours).splitlines() == [
        "Invalid read of size 4",
        "    0x10 generated code",
        "    0x20 _PyEval",
    ]


def test_without_valgrind_it_says_how_to_get_it(tmp_path):
    done = subprocess.run(
        [sys.executable, memcheck.__file__],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "apt-get install valgrind" in done.stdout
