package runs

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/authsome/authsome/internal/regular"
)

// IsolatedFile is the name of the only file in the directory that an isolated run shows
// in the place of the home: the home is hidden there. It names the proxy of the run.
const IsolatedFile = "isolated.json"

// maxIsolatedFile limits the size of the file, in bytes.
const maxIsolatedFile = 4 << 10

type isolatedFile struct {
	Proxy string `json:"proxy"`
}

// FormatIsolated returns the content of [IsolatedFile] for a run whose command reaches
// the proxy at the URL.
func FormatIsolated(proxy *url.URL) ([]byte, error) {
	return json.Marshal(isolatedFile{proxy.String()})
}

// IsIsolated reports whether the home in dir is hidden from this process by an isolated
// run. The environment does not matter, so that the command of the run cannot change it.
func IsIsolated(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, IsolatedFile))
	return err == nil
}

// IsolatedProxy returns the URL of the proxy of the isolated run that hides the home in
// dir. The error is not nil if the file cannot be read, or does not name a proxy.
func IsolatedProxy(dir string) (*url.URL, error) {
	path := filepath.Join(dir, IsolatedFile)
	text, err := regular.Read(path, maxIsolatedFile)
	if err != nil {
		return nil, err
	}
	var f isolatedFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("%s is not JSON", path)
	}
	u, err := url.Parse(f.Proxy)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("%s does not name a proxy", path)
	}
	return u, nil
}
