package isolate

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// diagnose turns an error of a fence that could not be started into an [*UnsupportedError]
// that says why, as far as that is known.
func diagnose(getenv func(string) string, err error) error {
	is := func(numbers ...unix.Errno) bool {
		return slices.ContainsFunc(numbers, func(n unix.Errno) bool { return errors.Is(err, n) })
	}
	refused := is(unix.EPERM, unix.EACCES)
	unsupported := func(cause Cause, reason string) error {
		return &UnsupportedError{Cause: cause, Reason: reason, Err: err}
	}
	switch {
	case is(unix.ENOSPC, unix.EUSERS):
		name := usedUp()
		return &UnsupportedError{Cause: NamespaceLimit, Reason: fmt.Sprintf("the limit of namespaces (%s) is %s", name, setting(name)), Setting: name, Err: err}
	case is(unix.EINVAL) && !exists("/proc/self/ns/user"), is(unix.ENOSYS, unix.EOPNOTSUPP, unix.EPROTONOSUPPORT, unix.ENOPROTOOPT, unix.ENODEV):
		return unsupported(OldKernel, "this kernel does not have what it needs, such as user namespaces")
	case is(unix.EAFNOSUPPORT): // of a raw socket, because of filterCalls
		return unsupported(Isolated, "this process is isolated already")
	case !refused:
		return unsupported(Unknown, "this system does not do what a fence needs")
	case setting(namespacesAllowed) == "0":
		return &UnsupportedError{Cause: NamespacesOff, Reason: "the system forbids user namespaces (" + namespacesAllowed + " is 0)", Setting: namespacesAllowed, Err: err}
	case setting("kernel.apparmor_restrict_unprivileged_userns") == "1" && os.Geteuid() != 0:
		return unsupported(AppArmor, "AppArmor forbids user namespaces to programs without a profile")
	case inContainer(getenv):
		return unsupported(Container, "this container forbids user namespaces or mounts")
	}
	return unsupported(Forbidden, "the system forbids user namespaces or mounts")
}

// namespacesAllowed is a setting of Debian's kernels.
const namespacesAllowed = "kernel.unprivileged_userns_clone"

// usedUp returns the setting that limits namespaces most.
func usedUp() string {
	for _, kind := range []string{"user", "net", "mnt", "ipc"} {
		if name := "user.max_" + kind + "_namespaces"; setting(name) == "0" {
			return name
		}
	}
	return "user.max_user_namespaces" // which others have used up
}

// setting returns a setting of the kernel by its name for sysctl(8), or "" if it does not
// have that one.
func setting(name string) string {
	value, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(value))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// inContainer reports whether this process seems to be in a container.
func inContainer(getenv func(string) string) bool {
	return exists("/.dockerenv") || exists("/run/.containerenv") || getenv("KUBERNETES_SERVICE_HOST") != "" || getenv("container") != "" || filtered()
}

// filtered reports whether a seccomp filter applies to this process.
func filtered() bool {
	status, err := os.ReadFile("/proc/self/status")
	return err == nil && bytes.Contains(status, []byte("\nSeccomp:\t2\n"))
}
