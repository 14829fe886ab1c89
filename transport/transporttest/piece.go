package transporttest

import "time"

// Piece is a part of a [Body]. The zero value is an empty [Chunk].
type Piece struct {
	does     does
	data     string
	pause    time.Duration
	open     <-chan struct{}
	err      error
	closeErr error
}

// does is what a piece does when it is its turn.
type does uint8

const (
	delivers does = iota
	finishes      // delivers, and io.EOF with the last byte
	repeats       // delivers for ever
	pauses        // waits for a time
	opens         // waits for a channel
	deafens       // waits for a channel alone
	stalls        // waits for the end
	breaks        // fails
)

// Chunk delivers data, in one Read if the reader's buffer is large enough. An empty chunk makes a Read return (0, nil).
func Chunk(data string) Piece { return Piece{data: data} }

// Final delivers data and returns io.EOF together with the last of it, as readers may. What comes after it is not delivered.
func Final(data string) Piece { return Piece{does: finishes, data: data} }

// Endless delivers data over and over until the body is closed. It panics if data is empty.
func Endless(data string) Piece {
	if data == "" {
		panic("transporttest: Endless: no data")
	}
	return Piece{does: repeats, data: data}
}

// Pause lets d pass before the next piece.
func Pause(d time.Duration) Piece { return Piece{does: pauses, pause: d} }

// Until waits until open is closed before the next piece.
func Until(open <-chan struct{}) Piece { return Piece{does: opens, open: open} }

// Deaf waits until open is closed, as [Until] does, but takes no notice when the body is closed or its request is over:
// a Read that cannot be interrupted.
func Deaf(open <-chan struct{}) Piece { return Piece{does: deafens, open: open} }

// Stall delivers nothing more until the body is closed.
func Stall() Piece { return Piece{does: stalls} }

// Break makes every further Read fail with err, which may be io.ErrUnexpectedEOF for a body that was cut. A nil err is io.EOF.
func Break(err error) Piece {
	if err == nil {
		return Final("")
	}
	return Piece{does: breaks, err: err}
}

// FailClose makes Close return err. It delivers nothing, wherever it stands.
func FailClose(err error) Piece { return Piece{closeErr: err} }
