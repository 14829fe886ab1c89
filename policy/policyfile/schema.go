package policyfile

import (
	"encoding/json"
)

// schemaID names the schema; the file is docs/policy.schema.json of the repository.
const schemaID = "https://raw.githubusercontent.com/steadytrip/steadytrip/main/docs/policy.schema.json"

// Schema returns the JSON Schema (draft 2020-12) of policy files, for editors and for checks where this package is not at hand.
// It is made from the table that [Parse] goes by. What Parse takes is valid by it, but for odd numbers in a gate that is switched off,
// and what is not valid by it Parse refuses. What compares values, such as that max is at least initial, only Parse knows.
// The text is the same every time, and docs/policy.schema.json is a copy of it. Safe for concurrent use; the caller owns the bytes.
func Schema() []byte {
	defs := map[string]any{"kind": map[string]any{"description": "A kind of failure.", "enum": kindName.words}}
	for _, o := range objects[1:] {
		defs[o.id] = o.definition()
	}
	root := rootObject.definition()
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = schemaID
	root["title"] = "Policy file of steadytrip"
	root["$defs"] = defs
	text, _ := json.MarshalIndent(root, "", "  ") // maps, lists, texts and numbers
	return append(text, '\n')
}

// definition returns the schema of the object's mapping.
func (o *object) definition() map[string]any {
	properties := make(map[string]any, len(o.fields))
	for _, f := range o.fields {
		schema := f.shape.describe(f.bounds)
		schema["description"] = f.doc
		properties[f.name] = schema
	}
	return map[string]any{"type": "object", "description": o.doc, "properties": properties, "additionalProperties": false}
}

func (s *scalar) describe(bounds map[string]any) map[string]any { return s.schema(bounds) }

func (o *object) describe(map[string]any) map[string]any {
	return orNull(map[string]any{"$ref": "#/$defs/" + o.id})
}

func (profileMap) describe(map[string]any) map[string]any {
	return map[string]any{
		"type": []string{"object", "null"}, "propertyNames": kindList{}.item(), "additionalProperties": profileObject.describe(nil),
	}
}

func (breakerList) describe(map[string]any) map[string]any {
	return map[string]any{"type": []string{"array", "null"}, "items": map[string]any{"$ref": "#/$defs/" + breakerObject.id}}
}

func (kindList) describe(map[string]any) map[string]any {
	return map[string]any{"type": "array", "items": kindList{}.item(), "minItems": 1}
}

func (kindList) item() map[string]any { return map[string]any{"$ref": "#/$defs/kind"} }

func orNull(schema map[string]any) map[string]any {
	return map[string]any{"anyOf": []any{schema, map[string]any{"type": "null"}}}
}
