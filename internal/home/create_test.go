package home

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// A file that one process has created, and may have used, is not replaced by another
// process that found it missing at the same moment.
func TestCreateFileDoesNotReplaceAFile(t *testing.T) {
	for round := range 50 {
		path := filepath.Join(t.TempDir(), "file")
		seen := make([]string, 8)
		var wg sync.WaitGroup
		for i := range seen {
			wg.Go(func() {
				if err := createFile(path, fmt.Append(nil, i)); err != nil {
					t.Error(err)
				}
				data, err := os.ReadFile(path)
				if err != nil {
					t.Error(err)
				}
				seen[i] = string(data)
			})
		}
		wg.Wait()
		for _, s := range seen {
			if s != seen[0] || s == "" {
				t.Fatalf("round %d: creators read %q", round, seen)
			}
		}
	}
}
