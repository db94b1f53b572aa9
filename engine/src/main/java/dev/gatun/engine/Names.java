package dev.gatun.engine;

import java.util.List;

/** Names of ops and of their inputs. */
final class Names {

    static final List<String> ARGUMENTS = List.of("a", "b", "c", "d", "e", "f", "g", "h");

    private static final ClassValue<String> NAMES = new ClassValue<>() {
        @Override
        protected String computeValue(Class<?> type) {
            String name = type.getSimpleName();
            return Character.toLowerCase(name.charAt(0)) + name.substring(1);
        }
    };

    private Names() {}

    static String of(Class<?> type) {
        return NAMES.get(type);
    }

    /** Name of the i-th input of an op: {@code x} when it is the only unnamed one. */
    static String argument(Op op, int i, int count) {
        List<String> names = op.arguments();
        if (names == ARGUMENTS && count == 1) {
            return "x";
        }
        return i < names.size() ? names.get(i) : "input " + i;
    }
}
