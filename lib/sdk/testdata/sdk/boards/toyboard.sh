arch=amd64
size=64
build_kernel_amd64() { print kernel | sudo tee $strapdir/boot/zImage >/dev/null }
