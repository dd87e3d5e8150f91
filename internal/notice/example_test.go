package notice_test

import (
	"fmt"

	"github.com/sessionhub/sessionhub/internal/notice"
)

func ExampleParse() {
	text := notice.Notice{Kind: notice.Epoch, Root: "main", ID: "1rPqhVw3vq0ZAHM2mDA2gg", Below: 3}.String()
	fmt.Println(text)
	n, err := notice.Parse(text)
	fmt.Println(n.ID, "is over below login", n.Below, err)
	_, err = notice.Parse("9|s|main|1rPqhVw3vq0ZAHM2mDA2gg||0") // of a version to come
	fmt.Println(err != nil)
	// Output:
	// 1|e|main|1rPqhVw3vq0ZAHM2mDA2gg||3
	// 1rPqhVw3vq0ZAHM2mDA2gg is over below login 3 <nil>
	// true
}
