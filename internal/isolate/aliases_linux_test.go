package isolate

import (
	"slices"
	"testing"
)

func TestAliases(t *testing.T) {
	const device = "8:1"
	root := mount{device, "/", "/", "ext4"}
	for name, tt := range map[string]struct {
		mounts []mount
		path   string
		want   []string
	}{
		"one mount":                         {nil, "/home/u/.authsome", nil},
		"the directory":                     {[]mount{{device, "/home/u/.authsome", "/mnt", "ext4"}}, "/home/u/.authsome", []string{"/mnt"}},
		"one above":                         {[]mount{{device, "/home", "/mnt", "ext4"}}, "/home/u/.authsome", []string{"/mnt/u/.authsome"}},
		"the whole file system":             {[]mount{{device, "/", "/mnt", "ext4"}}, "/home/u/.authsome", []string{"/mnt/home/u/.authsome"}},
		"one below":                         {[]mount{{device, "/home/u/.authsome/profiles", "/mnt", "ext4"}}, "/home/u/.authsome", []string{"/mnt"}},
		"a file of it":                      {[]mount{{device, "/home/u/.authsome/master.key", "/run/key", "ext4"}}, "/home/u/.authsome", []string{"/run/key"}},
		"one below, mounted inside":         {[]mount{{device, "/home/u/.authsome/a", "/home/u/.authsome/b", "ext4"}}, "/home/u/.authsome", nil},
		"a similar name":                    {[]mount{{device, "/home/u/.authsome-old", "/mnt", "ext4"}}, "/home/u/.authsome", nil},
		"another file system":               {[]mount{{"8:2", "/home/u/.authsome", "/mnt", "ext4"}}, "/home/u/.authsome", nil},
		"an alias below another mount":      {[]mount{{device, "/home", "/mnt", "ext4"}, {"8:2", "/", "/mnt", "ext4"}}, "/home/u/.authsome", nil},
		"a path that is itself in an alias": {[]mount{{device, "/home", "/mnt", "ext4"}}, "/mnt/u/.authsome", []string{"/home/u/.authsome"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := aliasesIn(append([]mount{root}, tt.mounts...), []string{tt.path}); !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
