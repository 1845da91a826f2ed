"""What has to be there before anything can be measured."""

import os
import shutil
import subprocess
import sys

from bench.lib import ROOT

TOOLS = ROOT / "build/bench"

# command: the Debian package that brings it
NEEDS = {
    "gcc": "gcc", "cmake": "cmake", "ninja": "ninja-build", "pkg-config": "pkg-config",
    "nginx": "nginx-light", "docker-registry": "docker-registry", "wrk": "wrk",
    "openssl": "openssl", "ip": "iproute2", "tc": "iproute2", "setpriv": "util-linux",
}


def say(text):
    """Progress, for those who wait; results go to stdout."""
    print(text, file=sys.stderr, flush=True)


def run_quietly(*argv, cwd=ROOT):
    done = subprocess.run([str(word) for word in argv], cwd=cwd, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise SystemExit(f"{done.stdout[-4000:]}\n{' '.join(map(str, argv))} failed")
    return done.stdout


def install_missing():
    missing = sorted({package for command, package in NEEDS.items()
                      if not shutil.which(command)})
    if not missing:
        return
    say(f"installing {' '.join(missing)}")
    # Installing a server does not mean that it should run.
    policy = "/usr/sbin/policy-rc.d"
    is_ours = not os.path.exists(policy)
    if is_ours:
        with open(policy, "w") as file:
            file.write("#!/bin/sh\nexit 101\n")
        os.chmod(policy, 0o755)
    try:
        run_quietly("apt-get", "update", "-q")
        run_quietly("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qy",
                    "--no-install-recommends", *missing)
    finally:
        if is_ours:
            os.unlink(policy)


def build_railhead():
    """The release build, unless RAILHEAD_BINARY names another."""
    named = os.environ.get("RAILHEAD_BINARY")
    if named:
        return
    say("building Railhead")
    run_quietly("cmake", "--preset", "release")
    run_quietly("cmake", "--build", "--preset", "release", "--target", "railhead")


def build_tools():
    say("building the load generators")
    built = os.environ.get("RAILHEAD_BINARY", str(ROOT / "build/release/railhead"))
    run_quietly("cmake", "-S", ROOT / "bench/load", "-B", TOOLS, "-G", "Ninja",
                f"-DRAILHEAD_BUILD={os.path.dirname(os.path.abspath(built))}")
    run_quietly("cmake", "--build", TOOLS)


def everything():
    install_missing()
    build_railhead()
    build_tools()
