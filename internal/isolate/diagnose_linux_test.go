package isolate

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

const limitVariable = "ISOLATE_TEST_LIMIT"

// TestLimits starts a fence where the kernel allows no further namespaces of a kind.
func TestLimits(t *testing.T) {
	if setting := os.Getenv(limitVariable); setting != "" {
		if err := os.WriteFile("/proc/sys/"+strings.ReplaceAll(setting, ".", "/"), []byte("0"), 0); err != nil {
			t.Fatal(err)
		}
		_, err := Start(t.Context(), Options{Home: t.TempDir(), Getenv: os.Getenv})
		fmt.Println("result:", err)
		unsupported, ok := errors.AsType[*UnsupportedError](err)
		if !ok || unsupported.Cause != NamespaceLimit || unsupported.Setting != setting {
			t.Errorf("%+v", err)
		}
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, setting := range []string{"user.max_user_namespaces", "user.max_net_namespaces", "user.max_mnt_namespaces", "user.max_ipc_namespaces"} {
		cmd := exec.Command(self, "-test.run=^TestLimits$")
		cmd.Env = append(os.Environ(), limitVariable+"="+setting)
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		output, err := cmd.CombinedOutput()
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
			t.Skip("this machine forbids user namespaces")
		}
		if want := "result: the limit of namespaces (" + setting + ") is 0"; err != nil || !strings.Contains(string(output), want) {
			t.Errorf("%s: %v\n%s", setting, err, output)
		}
	}
}

func TestDiagnose(t *testing.T) {
	none := func(string) string { return "" }
	for err, want := range map[error]Cause{
		syscall.EAFNOSUPPORT: Isolated, syscall.ENOSYS: OldKernel, syscall.EOPNOTSUPP: OldKernel, syscall.ENOSPC: NamespaceLimit, syscall.ENOENT: Unknown,
	} {
		if got, ok := errors.AsType[*UnsupportedError](diagnose(none, &stageError{"step", err.(syscall.Errno)})); !ok || got.Cause != want {
			t.Errorf("%v: %+v", err, got)
		}
	}
	inside := func(name string) string { return map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1"}[name] }
	if os.Geteuid() == 0 {
		if got, ok := errors.AsType[*UnsupportedError](diagnose(inside, syscall.EPERM)); !ok || got.Cause != Container {
			t.Errorf("in a container: %+v", got)
		}
	}
}
