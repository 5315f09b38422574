package child

import (
	_ "embed"
	"path/filepath"
	"strings"
)

var (
	//go:embed python/sitecustomize.py
	pythonStart []byte
	//go:embed python/authsome_clients.py
	pythonClients []byte
)

// AddPython adds support for the clients of Python that ignore the proxy variables or
// load their roots from a file: it writes the modules that change them.
func (f *Files) AddPython() error {
	f.Python = filepath.Join(f.dir, "python")
	return writeDirectory(f.Python, map[string][]byte{"sitecustomize.py": pythonStart, "authsome_clients.py": pythonClients})
}

// setPython makes every Python import the modules at its start.
func (e *Environment) setPython(env map[string]string) {
	if e.Files.Python == "" {
		return
	}
	path := []string{e.Files.Python}
	if user := env["PYTHONPATH"]; user != "" { // an empty element would mean the current directory
		path = append(path, user)
	}
	env["PYTHONPATH"] = strings.Join(path, string(filepath.ListSeparator))
}
