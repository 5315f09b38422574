package isolate

import (
	"slices"
	"testing"
)

func TestBoundPaths(t *testing.T) {
	const table = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 21354 /run/service.sock
0000000000000000: 00000003 00000000 00000000 0001 03   354
0000000000000000: 00000002 00000000 00000000 0002 01 21355 @abstract
0000000000000000: 00000002 00000000 00000000 0002 01 21356 relative.sock
0000000000000000: 00000002 00000000 00010000 0001 01 21357 /run/with a space
`
	want := []string{"/run/service.sock", "relative.sock", "/run/with a space"}
	if got := boundPaths([]byte(table)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
