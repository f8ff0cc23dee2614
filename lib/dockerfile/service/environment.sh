n=0 cr=$(printf '\r')
if [ -r /etc/default/toaster-app ]; then
	while IFS= read -r line || [ -n "$line" ]; do
		n=$((n + 1)) line=${line%"$cr"}
		line=${line#"${line%%[![:space:]]*}"}
		case $line in
		'' | '#'*) continue ;;
		[!=]*=*) name=${line%%=*} ;;
		*) name=' ' ;;
		esac
		case $name in
		*[[:space:]]*) echo "toaster-app: /etc/default/toaster-app: line $n is not NAME=VALUE" >&2 ;;
		*) set -- "$@" "$line" ;;
		esac
	done </etc/default/toaster-app
fi
