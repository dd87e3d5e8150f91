package seal_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/sessionhub/sessionhub/session/seal"
)

func Example() {
	key, err := seal.Key("6c1f5d0e2b7a49338f60c4d1a5927e3bb80d4f16e29ac7530d7e8b41f2c6935a") // from the environment
	if err != nil {
		log.Fatal(err)
	}
	codec, err := seal.New(seal.Options{Keys: [][]byte{key}})
	if err != nil {
		log.Fatal(err)
	}
	stored, err := codec.Encode("main|1rPqhVw3vq0ZAHM2mDA2gg|main|email", `"ada@example.org"`)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(stored), "bytes stored")
	fmt.Println(codec.Decode("main|1rPqhVw3vq0ZAHM2mDA2gg|main|email", stored))

	_, err = codec.Decode("main|of-another-session-0000|main|email", stored)
	fmt.Println(errors.Is(err, seal.ErrUndecodable), err)
	// Output:
	// 63 bytes stored
	// "ada@example.org" <nil>
	// true seal: stored value cannot be read: tampered with, or from another place
}

// A key is replaced by making the new one the first. The old one reads on until
// it is dropped.
func ExampleNew_rotation() {
	old, fresh := make([]byte, 32), make([]byte, 32)
	for i := range old {
		old[i], fresh[i] = 1, 2 // random ones, as NewKey makes them
	}
	before, _ := seal.New(seal.Options{Keys: [][]byte{old}})
	during, _ := seal.New(seal.Options{Keys: [][]byte{fresh, old}})
	after, _ := seal.New(seal.Options{Keys: [][]byte{fresh}})

	stored, _ := before.Encode("place", "42")
	fmt.Println(during.Decode("place", stored))
	fmt.Println(after.Decode("place", stored))

	stored, _ = during.Encode("place", "42") // whoever writes, writes with the new one
	fmt.Println(after.Decode("place", stored))
	// Output:
	// 42 <nil>
	//  seal: stored value cannot be read: unknown key
	// 42 <nil>
}
