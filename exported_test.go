package authsome_test

import (
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gopackages "golang.org/x/tools/go/packages"
)

// library lists the packages that Go programs may import. What they export may be
// used by nothing but their examples.
var library = []string{"auth", "ca", "flows", "intercept", "metrics", "providers", "providers/draft", "routing", "secret", "vault"}

// exports knows why a name has to be exported.
type exports struct {
	used, mentioned map[string]bool               // by another package; in an exported declaration
	interfaces      map[string][]*types.Interface // by the names of their methods
	groups          map[string][]string           // the constants that are declared together with one
}

// TestExportedNamesAreUsed checks that a name is exported only if another package
// uses it, a type also if an exported declaration mentions it, a method also if it
// belongs to an interface, and a constant also if another one of its group is used.
func TestExportedNamesAreUsed(t *testing.T) {
	all, err := gopackages.Load(&gopackages.Config{Mode: gopackages.LoadSyntax | gopackages.NeedForTest, Tests: true}, "./...", "encoding")
	if err != nil {
		t.Fatal(err)
	}
	x := &exports{used: make(map[string]bool), mentioned: make(map[string]bool), interfaces: make(map[string][]*types.Interface), groups: make(map[string][]string)}
	x.addInterface(types.Universe.Lookup("error").Type())
	gopackages.Visit(all, x.addInterfaces, nil)
	var unchecked []string // files of other modules and for other systems
	for _, dir := range apart {
		for _, pattern := range []string{"*.go", "*/*.go"} {
			names, _ := filepath.Glob(filepath.Join(dir, pattern))
			unchecked = append(unchecked, names...)
		}
	}
	for _, p := range all {
		for _, err := range p.Errors {
			t.Error(err)
		}
		x.addUses(p)
		if p.ForTest == "" {
			x.addMentions(p)
			x.addGroups(p)
		}
		unchecked = append(unchecked, p.IgnoredFiles...)
	}
	x.addText(t, unchecked)
	for _, p := range all {
		if p.ForTest == "" && p.Name != "main" && strings.HasPrefix(p.PkgPath, module) {
			x.check(t, p)
		}
	}
}

func (x *exports) addInterfaces(p *gopackages.Package) bool {
	if p.TypesInfo != nil { // interfaces of this module that may have no name
		for e := range p.TypesInfo.Types {
			if i, ok := e.(*ast.InterfaceType); ok {
				x.addInterface(p.TypesInfo.TypeOf(i))
			}
		}
	}
	if p.Types != nil {
		for _, name := range p.Types.Scope().Names() {
			x.addInterface(p.Types.Scope().Lookup(name).Type())
		}
	}
	return true
}

func (x *exports) addInterface(t types.Type) {
	if i, ok := t.Underlying().(*types.Interface); ok {
		for m := range i.Methods() {
			x.interfaces[m.Name()] = append(x.interfaces[m.Name()], i)
		}
	}
}

func (x *exports) addUses(p *gopackages.Package) {
	user := strings.TrimSuffix(p.PkgPath, "_test")
	inLibrary := slices.Contains(library, strings.TrimPrefix(user, module))
	for id, o := range p.TypesInfo.Uses {
		example := inLibrary && strings.HasSuffix(p.Fset.Position(id.Pos()).Filename, "example_test.go")
		if o.Pkg() != nil && (o.Pkg().Path() != user || example) {
			x.used[fullName(o)] = true
		}
	}
}

// addMentions adds the types in the exported declarations of a package.
func (x *exports) addMentions(p *gopackages.Package) {
	hidden := make(map[ast.Node]bool) // receivers, and fields that are not exported
	for _, f := range p.Syntax {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BlockStmt:
				return false
			case *ast.FuncDecl:
				hidden[n.Recv] = true
				return n.Name.IsExported()
			case *ast.TypeSpec:
				return n.Name.IsExported()
			case *ast.ValueSpec:
				return slices.ContainsFunc(n.Names, (*ast.Ident).IsExported)
			case *ast.StructType:
				for _, f := range n.Fields.List {
					hidden[f] = f.Names != nil && !slices.ContainsFunc(f.Names, (*ast.Ident).IsExported)
				}
			case *ast.Ident:
				if o, ok := p.TypesInfo.Uses[n].(*types.TypeName); ok {
					x.mentioned[fullName(o)] = true
				}
			}
			return n != nil && !hidden[n]
		})
	}
}

// addGroups adds the constants of each declaration: they are one set of values.
func (x *exports) addGroups(p *gopackages.Package) {
	for _, f := range p.Syntax {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			var group []string
			for _, s := range g.Specs {
				for _, n := range s.(*ast.ValueSpec).Names {
					group = append(group, p.PkgPath+"."+n.Name)
				}
			}
			for _, name := range group {
				x.groups[name] = group
			}
		}
	}
}

var selector = regexp.MustCompile(`(\w*)(\.[A-Z]\w*)`)

// addText adds what files use that are not type-checked: x.Name may be a name of
// package x, or a method of any type.
func (x *exports) addText(t *testing.T, names []string) {
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range selector.FindAllStringSubmatch(string(text), -1) {
			x.used[m[0]], x.used[m[2]] = true, true
		}
	}
}

func (x *exports) check(t *testing.T, p *gopackages.Package) {
	for _, o := range p.TypesInfo.Defs {
		if o == nil || !o.Exported() {
			continue
		}
		f, _ := o.(*types.Func)
		method := f != nil && f.Signature().Recv() != nil
		name := fullName(o)
		switch {
		case !method && o.Parent() != p.Types.Scope(): // a field, or local
		case x.used[name] || x.mentioned[name] || slices.ContainsFunc(x.groups[name], func(other string) bool { return x.used[other] }):
		case method && (x.used["."+o.Name()] || x.hasInterface(f)):
		case !method && x.used[path.Base(p.PkgPath)+"."+o.Name()]:
		default:
			t.Errorf("%s is exported, and no other package uses it", strings.ReplaceAll(name, module, ""))
		}
	}
}

// hasInterface reports whether a method belongs to an interface, or is one that
// other packages look for without a named interface.
func (x *exports) hasInterface(method *types.Func) bool {
	t := method.Signature().Recv().Type()
	if types.IsInterface(t) || slices.Contains([]string{"Unwrap", "Is", "As", "IsZero"}, method.Name()) {
		return true
	}
	return slices.ContainsFunc(x.interfaces[method.Name()], func(i *types.Interface) bool {
		return types.Implements(t, i) || types.Implements(types.NewPointer(t), i)
	})
}

func fullName(o types.Object) string {
	if f, ok := o.(*types.Func); ok {
		return f.Origin().FullName()
	}
	if o.Pkg() == nil {
		return o.Name()
	}
	return o.Pkg().Path() + "." + o.Name()
}
