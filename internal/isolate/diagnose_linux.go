package isolate

import (
	"bytes"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// diagnose turns an error of a fence that could not be started into an
// [*UnsupportedError], if it is about what this machine allows.
func diagnose(getenv func(string) string, err error) error {
	refused := errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)
	unsupported := func(cause Cause, reason string) error { return &UnsupportedError{cause, reason, err} }
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EUSERS), refused && setting("user/max_user_namespaces") == "0":
		return unsupported(NamespaceLimit, "the limit of user namespaces (user.max_user_namespaces) is "+setting("user/max_user_namespaces"))
	case errors.Is(err, unix.EINVAL) && !exists("/proc/self/ns/user"), errors.Is(err, unix.ENOSYS):
		return unsupported(OldKernel, "this kernel does not have what it needs, such as user namespaces")
	case errors.Is(err, unix.EAFNOSUPPORT): // of the packet socket, because of filterCalls
		return unsupported(Isolated, "this process is isolated already")
	case !refused:
		return err
	case setting("kernel/unprivileged_userns_clone") == "0":
		return unsupported(NamespacesOff, "the system forbids user namespaces (kernel.unprivileged_userns_clone is 0)")
	case setting("kernel/apparmor_restrict_unprivileged_userns") == "1" && os.Geteuid() != 0:
		return unsupported(AppArmor, "AppArmor forbids user namespaces to programs without a profile")
	case inContainer(getenv):
		return unsupported(Container, "this container forbids user namespaces or mounts")
	}
	return unsupported(Forbidden, "the system forbids user namespaces or mounts")
}

// setting returns a setting of the kernel, or "" if it does not have that one.
func setting(name string) string {
	value, err := os.ReadFile("/proc/sys/" + name)
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
