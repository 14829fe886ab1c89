package simulate

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// YAML returns the text of a file that describes the scenario: [Parse] makes an equal one of it, in which empty lists are nil.
// Fields with their zero value are left out.
func (s Scenario) YAML() []byte {
	var b bytes.Buffer
	writeStruct(&b, reflect.ValueOf(s), "")
	return b.Bytes()
}

// writeStruct writes the fields of a struct, each in lines that begin with the indent.
func writeStruct(b *bytes.Buffer, v reflect.Value, indent string) {
	for i, name := range names(v.Type()) {
		if f := v.Field(i); !unset(f) {
			b.WriteString(indent + name + ":")
			writeValue(b, f, indent)
		}
	}
}

// writeValue writes what stands behind a colon, and the end of the line.
func writeValue(b *bytes.Buffer, v reflect.Value, indent string) {
	switch {
	case v.Type() == delayType:
		d, _ := reflect.TypeAssert[Delay](v)
		if d.P99 == 0 {
			fmt.Fprintf(b, " %s\n", d.Median)
		} else {
			fmt.Fprintf(b, " {median: %s, p99: %s}\n", d.Median, d.P99)
		}
	case v.Kind() == reflect.Struct:
		b.WriteByte('\n')
		writeStruct(b, v, indent+"  ")
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		b.WriteByte('\n')
		for i := range v.Len() {
			var item bytes.Buffer
			writeStruct(&item, v.Index(i), indent+"    ")
			if item.Len() == 0 {
				b.WriteString(indent + "  - {}\n")
				continue
			}
			b.WriteString(indent + "  - ")
			b.Write(item.Bytes()[len(indent)+4:])
		}
	case v.Kind() == reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = scalarText(v.Index(i))
		}
		b.WriteString(" [" + strings.Join(items, ", ") + "]\n")
	default:
		b.WriteString(" " + scalarText(v) + "\n")
	}
}

func scalarText(v reflect.Value) string {
	switch {
	case v.Type() == durationType:
		return time.Duration(v.Int()).String()
	case v.Kind() == reflect.String:
		return yamlText(v.String())
	case v.Kind() == reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
	return fmt.Sprint(v.Interface())
}

// yamlText writes a text, in quotes unless it is a word that cannot be taken for anything else.
func yamlText(s string) string {
	word := s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_')
	})
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf":
		word = false
	}
	if word {
		return s
	}
	return strconv.Quote(s)
}
