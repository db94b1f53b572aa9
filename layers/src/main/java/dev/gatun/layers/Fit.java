package dev.gatun.layers;

import dev.gatun.engine.Spec;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Whether named tensors are the ones that are wanted; if not, everything that differs is one error. */
public final class Fit {

    private Fit() {}

    /**
     * Compares names and shapes. Real numbers may come in another precision, which is converted.
     *
     * @param what what is compared, for the error: {@code "run.safetensors does not fit the model"}
     * @throws MismatchException that lists every missing, extra and different name
     */
    public static void check(String what, Map<String, Spec> wanted, Map<String, Spec> given) {
        List<String> lines = new ArrayList<>();
        wanted.forEach((name, spec) -> {
            if (!given.containsKey(name)) {
                lines.add("missing: " + name + " " + spec);
            }
        });
        int missing = lines.size();
        given.forEach((name, spec) -> {
            if (!wanted.containsKey(name)) {
                lines.add("extra: " + name + " " + spec);
            }
        });
        int extra = lines.size() - missing;
        wanted.forEach((name, spec) -> {
            Spec other = given.get(name);
            if (other != null && !(other.shape().equals(spec.shape()) && other.dtype().isFloat() == spec.dtype().isFloat())) {
                lines.add("different: " + name + " is " + other + ", wanted is " + spec);
            }
        });
        if (!lines.isEmpty()) {
            int different = lines.size() - missing - extra;
            throw new MismatchException(what + ": " + missing + " missing, " + extra + " extra, " + different + " different\n  "
                    + String.join("\n  ", lines));
        }
    }
}
