package providers

import (
	"strings"
	"testing"
)

// Files of both spellings are read, and what is not known is kept.
func TestSpellingsAndUnknownMembers(t *testing.T) {
	d, err := Parse([]byte(`{"schema_version":1,"name":"later","display_name":"Later","auth_type":"api_key","flow":"api_key","api_url":["a.later.com","b.later.com"],
		"logo":"x","api_key":{"header_prefix":null,"more":1},"export":{"LATER_KEY":"API_TOKEN","LATER_REFRESH":"REFRESH_TOKEN"},"docs_url":"https://later.com/"}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(patternsOf(t, d)) != 2 || d.Docs != "https://later.com/" {
		t.Errorf("read as %+v", d)
	}
	if v := d.Variables(); len(v) != 1 || v[0].Name != "LATER_KEY" {
		t.Errorf("variables %v", v)
	}
	out, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []string{`"logo": "x"`, `"more": 1`, `"LATER_REFRESH"`} {
		if !strings.Contains(string(out), kept) {
			t.Errorf("%s is lost in\n%s", kept, out)
		}
	}
}
