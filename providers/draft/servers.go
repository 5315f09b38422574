package draft

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/authsome/authsome/providers"
)

type openAPIServer struct {
	URL       string `json:"url" yaml:"url"`
	Variables map[string]struct {
		Default string   `json:"default" yaml:"default"`
		Enum    []string `json:"enum" yaml:"enum"`
	} `json:"variables" yaml:"variables"`
}

// openAPIPath has the servers of a path and of its operations, which replace those of the
// document. A value of another kind, such as that of an extension, has none.
type openAPIPath struct {
	servers    []openAPIServer
	operations []openAPIPath // for a path, its operations; nil for an operation
}

// methods are the members of a path that are operations.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace", "query"}

func (p *openAPIPath) UnmarshalJSON(data []byte) error {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return nil
	}
	p.read(func(name string, to any) bool {
		return members[name] != nil && json.Unmarshal(members[name], to) == nil
	})
	return nil
}

// UnmarshalYAML implements the interface of package yaml.
func (p *openAPIPath) UnmarshalYAML(node *yaml.Node) error {
	members := make(map[string]yaml.Node)
	if node.Decode(&members) != nil {
		return nil
	}
	p.read(func(name string, to any) bool {
		member, ok := members[name]
		return ok && member.Decode(to) == nil
	})
	return nil
}

// read fills p with the help of decode, which decodes a member and reports whether it is
// there.
func (p *openAPIPath) read(decode func(name string, to any) bool) {
	decode("servers", &p.servers)
	for _, method := range methods {
		var operation openAPIPath
		if decode(method, &operation) {
			p.operations = append(p.operations, operation)
		}
	}
	var more map[string]openAPIPath // OpenAPI 3.2
	if decode("additionalOperations", &more) {
		for _, method := range slices.Sorted(maps.Keys(more)) {
			p.operations = append(p.operations, more[method])
		}
	}
}

// allServers returns the servers of the document, of its paths and of their operations.
func (o *openAPI) allServers() []openAPIServer {
	all := slices.Clone(o.Servers)
	for _, name := range slices.Sorted(maps.Keys(o.Paths)) {
		p := o.Paths[name]
		all = append(all, p.servers...)
		for _, operation := range p.operations {
			all = append(all, operation.servers...)
		}
	}
	return all
}

// servers adds the servers as hosts and paths, and their variables as params. Paths hold
// for all hosts, so there are none if a server has all paths of its host.
func (o *openAPI) servers(d *drafted) {
	everyPath := false
	for _, s := range o.allServers() {
		rest, ok := strings.CutPrefix(s.URL, "https://")
		if !ok {
			d.todo(fmt.Sprintf("hosts: the server %q of the document does not have an https URL", s.URL))
			continue
		}
		for _, variable := range slices.Sorted(maps.Keys(s.Variables)) {
			rest = strings.ReplaceAll(rest, "{"+variable+"}", "{"+paramName(variable)+"}")
			s.addParam(d, variable)
		}
		host, path, _ := strings.Cut(rest, "/")
		if host = strings.ToLower(host); host != "" && !slices.Contains(d.Hosts, host) {
			d.Hosts = append(d.Hosts, host)
		}
		prefix := pathPrefix("/" + path)
		everyPath = everyPath || prefix == ""
		if !slices.Contains(d.Paths, prefix) {
			d.Paths = append(d.Paths, prefix)
		}
	}
	if everyPath {
		d.Paths = nil
	}
	if len(d.Hosts) == 0 {
		d.Hosts = []string{"TODO: the host of the API"}
	}
}

// pathPrefix returns the path of a server up to its first variable, without the slash at
// its end.
func pathPrefix(path string) string {
	if before, _, variable := strings.Cut(path, "{"); variable {
		path = before[:strings.LastIndexByte(before, '/')]
	}
	return strings.TrimSuffix(path, "/")
}

// addParam adds a variable of the server as a param, if there is none of that name.
func (s *openAPIServer) addParam(d *drafted, variable string) {
	param := paramName(variable)
	if d.Param(param) != nil {
		return
	}
	v := s.Variables[variable]
	p := providers.Param{Name: param, Default: v.Default}
	for i, value := range v.Enum {
		if i > 0 {
			p.Pattern += "|"
		}
		p.Pattern += regexp.QuoteMeta(value)
	}
	d.Params = append(d.Params, p)
}
