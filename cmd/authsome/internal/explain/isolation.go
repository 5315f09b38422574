package explain

import (
	"fmt"
	"os"

	"github.com/authsome/authsome/internal/isolate"
)

// Isolation says what a person can do so that commands can be isolated on this machine. It
// may have several lines, of which all but the first are commands or files.
func Isolation(e *isolate.UnsupportedError) string {
	switch e.Cause {
	case isolate.NamespaceLimit:
		return sysctl(e.Setting + "=15000")
	case isolate.NamespacesOff:
		return sysctl(e.Setting + "=1")
	case isolate.AppArmor:
		program, err := os.Executable()
		if err != nil {
			program = "/usr/local/bin/authsome"
		}
		return "write this to /etc/apparmor.d/authsome, then: sudo apparmor_parser -r /etc/apparmor.d/authsome\n" + appArmorProfile(program)
	case isolate.Container:
		return `start the container with
docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined …
or in Kubernetes with seccompProfile and appArmorProfile of type Unconfined,
or let the container be the fence: run authsome proxy in another one, and give the agent's no route out`
	case isolate.OldKernel:
		return "use a kernel with user namespaces, or " + elsewhere
	case isolate.Isolated:
		return "run it outside of the isolated command"
	case isolate.OtherSystem, isolate.Unknown:
		return elsewhere
	}
	return "allow user namespaces to this user, or " + elsewhere
}

// elsewhere is what to do on a machine where commands cannot be isolated.
const elsewhere = "run the agent as another user, or in a container whose proxy is authsome proxy"

func sysctl(assignment string) string {
	return fmt.Sprintf("sudo sysctl %s\nand to keep that after a restart: echo %s | sudo tee /etc/sysctl.d/60-authsome.conf", assignment, assignment)
}

// appArmorProfile lets a program make user namespaces where AppArmor allows that only to
// programs with a profile: on Ubuntu from 23.10 on; see apparmor.d(5).
func appArmorProfile(program string) string {
	return fmt.Sprintf(`abi <abi/4.0>,
include <tunables/global>
profile authsome %q flags=(unconfined) {
  userns,
}`, program)
}
