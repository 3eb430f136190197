# SPDX-License-Identifier: MIT
about="java: garbage collection, threads, JIT"
policy=chaos,rate=100000

have() { need java default-jre-headless; }
version() { java -version 2>&1; }

prepare() {
	cat >Work.java <<'END'
import java.util.*;

public class Work {
	static long churn(int n, int seed) {
		List<byte[]> keep = new ArrayList<>();
		Map<Integer, String> map = new HashMap<>();
		long sum = 0;
		for (int i = 0; i < n; i++) {
			byte[] b = new byte[200 + i % 50];
			b[i % 200] = (byte)(i * seed);
			if (i % 20 == 0)
				keep.add(b);
			if (keep.size() > 20000)
				keep.subList(0, 10000).clear();
			map.put(i % 5000, "v" + i);
		}
		for (byte[] b : keep)
			for (byte x : b)
				sum += x;
		for (String v : map.values())
			sum += v.hashCode();
		return sum;
	}

	public static void main(String[] args) throws Exception {
		int n = Integer.parseInt(args[0]);
		Thread[] t = new Thread[3];
		long[] r = new long[t.length];
		for (int k = 0; k < t.length; k++) {
			int me = k;
			t[k] = new Thread(() -> r[me] = churn(n, me + 1));
			t[k].start();
		}
		for (Thread x : t)
			x.join();
		System.out.println(Arrays.toString(r) + churn(n, 7));
	}
}
END
	! command -v javac >/dev/null || javac Work.java
}

work() {
	local what=Work
	[ -e ../input/Work.class ] || what=../input/Work.java
	under java -Xmx256m -cp ../input $what "$(short_or 500000 3000000)"
}
