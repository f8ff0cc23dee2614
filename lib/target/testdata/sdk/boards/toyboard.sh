arch=amd64
size=64
build_kernel_amd64() {
	print kernel | sudo tee $strapdir/boot/zImage >/dev/null
	mkdir -p $R/dist/u-boot && print loader >$R/dist/u-boot/toy.bin
}
