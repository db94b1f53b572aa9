package dev.gatun.verify;

import dev.gatun.engine.DType;
import dev.gatun.engine.Dispatch;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.algebra.Functions;
import dev.gatun.layers.Params;
import dev.gatun.layers.io.Json;
import dev.gatun.layers.io.Safetensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** One golden file, its numbers in the dtype of the run. Format and names: {@code golden/README.md}. */
final class GoldenCase implements AutoCloseable {

    /** A case that nobody here can run. */
    static final class Unknown extends RuntimeException {
        private static final long serialVersionUID = 1;

        Unknown(String message) {
            super(message);
        }
    }

    /** How far an element may be off: relative to the largest stored one, but no less than a number. */
    record Bound(double relative, double least) {
        double of(double largest) {
            return Math.max(relative * largest, least);
        }
    }

    private final Safetensors file;
    private final DType dtype;
    private final Map<?, ?> config;
    private final Map<String, Tensor> leaves = new HashMap<>();

    private GoldenCase(Safetensors file, DType dtype, Map<?, ?> config) {
        this.file = file;
        this.dtype = dtype;
        this.config = config;
    }

    static GoldenCase open(Path path, DType dtype) throws IOException {
        Safetensors file = Safetensors.open(path);
        try {
            return new GoldenCase(file, dtype, map(file, "config"));
        } catch (IOException | RuntimeException e) {
            file.close();
            throw e;
        }
    }

    private static Map<?, ?> map(Safetensors file, String key) throws IOException {
        return (Map<?, ?>) Json.parse(file.metadata().getOrDefault(key, "{}"));
    }

    String layer() {
        return file.metadata().getOrDefault("layer", "");
    }

    String name() {
        return file.metadata().getOrDefault("case", "");
    }

    DType dtype() {
        return dtype;
    }

    /** Names of all stored tensors. */
    List<String> names() {
        return List.copyOf(file.specs().keySet());
    }

    boolean has(String name) {
        return file.specs().containsKey(name);
    }

    /** A tensor as it is stored. */
    Tensor stored(String name) {
        return file.tensor(name);
    }

    /** An input or a parameter in the dtype of the run; a leaf when the file has a gradient of it. */
    Tensor get(String name) {
        Tensor leaf = leaves.get(name);
        if (leaf != null) {
            return leaf;
        }
        Tensor stored = stored(name);
        Tensor value = stored.dtype().isFloat() ? stored.to(dtype) : stored;
        if (!has("grad." + name)) {
            return value;
        }
        leaves.put(name, value.track());
        return leaves.get(name);
    }

    /** Like {@link #get}, or null when the file has no such tensor. */
    Tensor find(String name) {
        return has(name) ? get(name) : null;
    }

    /** The leaf that a stored gradient belongs to. */
    Tensor leaf(String name) {
        return get(name);
    }

    /** Puts a stored parameter into a layer's, whose gradient is then the stored parameter's. */
    void put(String name, Params params, String parameter) {
        Tensor target = params.entries().get(parameter);
        if (target == null) {
            throw new IllegalArgumentException("golden: the layer has no parameter \"" + parameter + "\", only " + params.entries().keySet());
        }
        Dispatch.overwrite(new Functions.Copy(), List.of(stored(name).to(dtype)), List.of(target));
        leaves.put(name, target);
    }

    /**
     * Puts all stored parameters below a name into a layer's.
     *
     * @param below {@code "param."}, and more where the layer is part of a model
     * @param names names behind {@code below}, and where they lie behind {@code at} in the layer
     */
    void putAll(String below, Map<String, String> names, Params params, String at) {
        for (String name : names()) {
            if (name.startsWith(below)) {
                String parameter = names.get(name.substring(below.length()));
                if (parameter == null) {
                    throw new Unknown("unknown parameter \"" + name + "\"");
                }
                put(name, params, at + parameter);
            }
        }
    }

    /** A number of the configuration. */
    double number(String key) {
        if (!(config.get(key) instanceof Number number)) {
            throw new Unknown("its config has no number \"" + key + "\"");
        }
        return number.doubleValue();
    }

    /** A number of the configuration, or another when it is not there. */
    double number(String key, double otherwise) {
        return config.get(key) == null ? otherwise : number(key);
    }

    /** A whole number of the configuration, or another when it is not there. */
    long whole(String key, long otherwise) {
        return (long) number(key, otherwise);
    }

    /** A list of numbers of the configuration; empty when it is not there. */
    List<Double> numbers(String key) {
        return config.get(key) instanceof List<?> list ? list.stream().map(each -> ((Number) each).doubleValue()).toList() : List.of();
    }

    /** Whether something is on; off when it is not there. */
    boolean truth(String key) {
        return Boolean.TRUE.equals(config.get(key));
    }

    /** A word of the configuration, or another when it is not there. */
    String text(String key, String otherwise) {
        return config.get(key) instanceof String text ? text : otherwise;
    }

    /** An object of the configuration, empty when it is not there. */
    Map<?, ?> object(String key) {
        return config.get(key) instanceof Map<?, ?> map ? map : Map.of();
    }

    /** How closely a stored result must be met. */
    Bound bound(String name) throws IllegalStateException {
        try {
            boolean wide = dtype == DType.F64;
            Object own = map(file, wide ? "atol_f64_by_tensor" : "atol_f32_by_tensor").get(name);
            double least = Math.max(wide ? 1e-12 : 1e-7, own instanceof Number number ? number.doubleValue() : 0);
            String rtol = name.startsWith("grad.") ? "rtol_f32_grad" : "rtol_f32_out";
            return new Bound(wide ? 1e-9 : Double.parseDouble(file.metadata().getOrDefault(rtol, "1e-5")), least);
        } catch (IOException e) {
            throw new IllegalStateException("golden: the tolerances are no JSON: " + e.getMessage(), e);
        }
    }

    @Override
    public void close() {
        file.close();
    }
}
