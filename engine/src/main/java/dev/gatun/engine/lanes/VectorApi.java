package dev.gatun.engine.lanes;

import java.lang.System.Logger.Level;
import java.util.Set;

/** Whether the JVM was started with the Vector API; without it everything works, in scalar loops. */
public final class VectorApi {

    /** How wide vectors are to be; empty for what the machine prefers. */
    static final String BITS = System.getProperty("gatun.bits", "");

    private static final Set<String> WIDTHS = Set.of("", "128", "256", "512");
    private static final String MISSING = reason();

    static {
        if (MISSING != null && on()) {
            System.getLogger(VectorApi.class.getName()).log(Level.WARNING, MISSING);
        }
    }

    private VectorApi() {}

    /** True where vector loops can be made. */
    public static boolean present() {
        if (!WIDTHS.contains(BITS)) {
            throw new IllegalArgumentException("gatun.bits: must be 128, 256 or 512, is " + BITS);
        }
        return MISSING == null;
    }

    /** Why there are no vector loops, or the empty string where there are. */
    public static String missing() {
        return MISSING == null ? "" : MISSING;
    }

    private static boolean on() {
        return !"false".equals(System.getProperty("gatun.vector"));
    }

    private static String reason() {
        if (!on()) {
            return "vector loops are turned off by -Dgatun.vector=false";
        }
        return ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent()
                ? null
                : "elementwise loops, products and reductions run as scalar code, several times slower than they could:"
                        + " start the JVM with --add-modules jdk.incubator.vector";
    }
}
