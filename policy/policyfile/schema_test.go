package policyfile

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/policy.schema.json")

func TestTheSchemaOfTheDocumentationIsThisOne(t *testing.T) {
	const path = "../../docs/policy.schema.json"
	if *update {
		if err := os.WriteFile(path, Schema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, Schema()) {
		t.Errorf("%s is not what Schema returns (%v): run go test ./policy/policyfile -run Schema -update", path, err)
	}
}

// properties returns the names of the properties that a part of the schema has.
func properties(t *testing.T, schema map[string]any) []string {
	t.Helper()
	all, _ := schema["properties"].(map[string]any)
	var names []string
	for name, property := range all {
		names = append(names, name)
		if p, _ := property.(map[string]any); p["description"] == "" || p["description"] == nil {
			t.Errorf("%s has no description", name)
		}
	}
	slices.Sort(names)
	return names
}

func TestTheSchemaHasTheFieldsOfTheParserAndNoOthers(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal(Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	defs, _ := schema["$defs"].(map[string]any)
	if got, want := len(defs), len(objects); got != want { // the kinds in place of the root
		t.Errorf("got %d definitions, want %d", got, want)
	}
	for _, o := range objects {
		of := schema
		if o.object != rootObject {
			of, _ = defs[o.id].(map[string]any)
		}
		want := slices.Sorted(slices.Values(o.names()))
		if got := properties(t, of); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", o.title, got, want)
		}
		if of["additionalProperties"] != false {
			t.Errorf("%s allows fields that do not exist", o.title)
		}
	}
	kindsOf, _ := defs["kind"].(map[string]any)
	var names []string
	list, _ := kindsOf["enum"].([]any)
	for _, name := range list {
		s, _ := name.(string)
		names = append(names, s)
	}
	if !slices.Equal(names, kindName.words) || len(names) != len(kinds) {
		t.Errorf("got kinds %v, want all of classify.Kinds", names)
	}
}

func TestTheExampleOfTheDocumentationIsAPolicyWithEveryField(t *testing.T) {
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := doc.NewFromFiles(files, []*ast.File{tree}, "policyfile")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(pkg.Doc, "\t# default, interactive")
	text, _, _ := strings.Cut("# default, interactive"+rest, "\n\nThe rules")
	text = strings.ReplaceAll(text, "\n\t", "\n")
	if _, err := Parse("doc.yaml", []byte(text)); err != nil {
		t.Errorf("%v\nin\n%s", err, text)
	}
	for _, o := range objects {
		for _, f := range o.fields {
			if !f.about && !strings.Contains(text, f.name+":") {
				t.Errorf("the example has no %s%s", o.path, f.name)
			}
		}
	}
}

func TestSchemaIsTheCallersOwn(t *testing.T) {
	first := Schema()
	want := slices.Clone(first)
	clear(first)
	if got := Schema(); !reflect.DeepEqual(got, want) {
		t.Error("a change of what Schema returned shows in what it returns next")
	}
}
