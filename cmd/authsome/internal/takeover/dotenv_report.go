package takeover

import (
	"fmt"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/console"
)

// dotenvView is a .env file in --json.
type dotenvView struct {
	File        string   `json:"file"`
	Replaceable []string `json:"replaceable,omitempty"`
	Replaced    []string `json:"replaced,omitempty"`
	Backup      string   `json:"backup,omitempty"`
	LinesLeft   []int    `json:"lines_left,omitempty"`
}

func (f *dotenvFile) view() *dotenvView {
	switch {
	case f == nil:
		return nil
	case f.backup == "":
		return &dotenvView{File: f.path, Replaceable: f.variables()}
	}
	return &dotenvView{File: f.path, Replaced: f.variables(), Backup: f.backup, LinesLeft: f.linesLeft}
}

// report prints what was done with the file.
func (f *dotenvFile) report(c *console.Console) {
	switch {
	case f == nil || len(f.replacements) == 0:
	case f.backup == "":
		c.Infof("%s still contains keys; --placeholders replaces %s by placeholders and keeps a backup", f.path, f.names())
	default:
		c.Infof("replaced %s in %s by placeholders", f.names(), f.path)
		c.Infof("the backup %s still contains the keys; keep it out of git, and delete it when everything works", f.backup)
		if len(f.linesLeft) > 0 {
			c.Warnf("%s still contains keys in %s", f.path, linesText(f.linesLeft))
		}
	}
}

// linesText is "line 4" or "lines 4, 5".
func linesText(lines []int) string {
	numbers := strings.Trim(strings.ReplaceAll(fmt.Sprint(lines), " ", ", "), "[]")
	if len(lines) == 1 {
		return "line " + numbers
	}
	return "lines " + numbers
}
