package dev.gatun.layers;

import dev.gatun.engine.DType;
import dev.gatun.engine.Device;
import dev.gatun.engine.Dispatch;
import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.io.Safetensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.BiFunction;

/**
 * The parameters of a model, by name. A layer names a parameter once, where it makes it, and the same
 * line draws a fresh value or takes it from a file, so loading cannot drift from making:
 *
 * {@snippet :
 * Params params = Params.fresh(Key.of(42), F32);        // or Params.read(path)
 * Linear head = new Linear(params.at("head"), 64, 10);  // names "head.weight" and draws it
 * }
 *
 * <p>Values are tracked, unless frozen; their memory belongs to no scope, and only {@link #update}
 * and optimisers overwrite it, between steps. A fresh value depends on the key and its own name
 * alone, so that adding a layer leaves the other layers' numbers as they were.
 *
 * <p>{@link #at} gives a view below a name; all views of one model share its parameters.
 */
public final class Params {

    /** What all views share. */
    private static final class Book {
        final Key key;
        final DType dtype;
        final Device device;
        final String source;
        final Map<String, Tensor> given;
        final SequencedMap<String, Tensor> values = new LinkedHashMap<>();
        final SequencedMap<String, Spec> wanted = new LinkedHashMap<>();
        final List<String> frozen = new ArrayList<>();
        boolean allFrozen;

        Book(Key key, DType dtype, Device device, String source, Map<String, Tensor> given) {
            this.key = key;
            this.dtype = dtype;
            this.device = device;
            this.source = source;
            this.given = given;
        }
    }

    private final Book book;
    private final String path;
    private final SequencedMap<String, Init> plan;

    private Params(Book book, String path, SequencedMap<String, Init> plan) {
        this.book = book;
        this.path = path;
        this.plan = plan;
    }

    /** Parameters to be drawn when layers ask for them. */
    public static Params fresh(Key key, DType dtype) {
        return fresh(key, dtype, Device.cpu());
    }

    /** The same numbers on a device: they are drawn on the CPU, so that they do not depend on where they lie. */
    public static Params fresh(Key key, DType dtype, Device device) {
        return new Params(new Book(key, dtype, device, null, null), "", new LinkedHashMap<>());
    }

    /** Parameters of a file, each in the precision it has there; 16-bit ones are widened to F32. */
    public static Params read(Path path) throws IOException {
        try (Safetensors file = Safetensors.open(path)) {
            return read(file, "");
        }
    }

    /** The parameters of a file that lie below a name, {@code "model"} for instance. The file may be closed afterwards. */
    public static Params read(Safetensors file, String below) {
        String prefix = below.isEmpty() ? "" : below + ".";
        Map<String, Tensor> given = new LinkedHashMap<>();
        file.tensors().forEach((name, stored) -> {
            if (name.startsWith(prefix)) {
                given.put(name.substring(prefix.length()), lasting(stored.dtype().isStorage() ? stored.to(DType.F32) : stored, Device.cpu()));
            }
        });
        DType dtype = given.values().stream().map(Tensor::dtype).filter(DType::isFloat).findFirst().orElse(DType.F32);
        return new Params(new Book(null, dtype, Device.cpu(), file.path() + " does not fit the model", given), "", new LinkedHashMap<>());
    }

    /** The parameters below a name: {@code p.at("query").weight("weight", in, out)} makes {@code query.weight}. */
    public Params at(String name) {
        return new Params(book, join(name), plan);
    }

    /** The numbered part of a name, as {@code at("blocks").at(3)} for {@code blocks.3}. */
    public Params at(long index) {
        return at(Long.toString(index));
    }

    /** This view, with weights that nobody else has a rule for drawn like that. */
    public Params drawing(Init weights) {
        return drawing("", weights);
    }

    /**
     * This view, with the weights of parts of this name drawn like that: {@code drawing("out", small)}
     * is about {@code blocks.0.mixer.out.weight} and every other {@code out}. Later rules come first.
     */
    public Params drawing(String part, Init weights) {
        SequencedMap<String, Init> more = new LinkedHashMap<>(plan);
        more.putFirst(part, weights);
        return new Params(book, path, more);
    }

    /**
     * A matrix {@code [out, in]} that acts as {@code y = W x}. Fresh ones are uniform in
     * {@code ±in^-1/2} where no rule of {@link #drawing} says otherwise.
     */
    public Tensor weight(String name, long in, long out) {
        return make(name, Shape.of(out, in), planned(name, Init.uniform(1 / Math.sqrt(in))));
    }

    /** A parameter of any shape. */
    public Tensor make(String name, Shape shape, Init init) {
        String full = join(name);
        Spec spec = new Spec(book.dtype, shape);
        if (book.wanted.putIfAbsent(full, spec) != null) {
            throw new IllegalArgumentException("params: \"" + full + "\" is made twice");
        }
        Tensor value = book.given == null ? lasting(init.draw(key(full), spec), book.device) : given(full, spec);
        Tensor made = frozen(full) ? value : value.track();
        book.values.put(full, made);
        return made;
    }

    /** The value of the file or, where it has none that fits, a spec; {@link #check} says so later, for all of them. */
    private Tensor given(String name, Spec spec) {
        Tensor value = book.given.get(name);
        return value != null && value.shape().equals(spec.shape()) && value.dtype().isFloat() ? value : Tensor.of(spec);
    }

    private Key key(String name) {
        return book.key.child(name);
    }

    private String join(String name) {
        if (name.isEmpty()) {
            throw new IllegalArgumentException("params: an empty name" + (path.isEmpty() ? "" : " below \"" + path + "\""));
        }
        return path.isEmpty() ? name : path + "." + name;
    }

    private Init planned(String name, Init otherwise) {
        List<String> parts = List.of(join(name).split("\\."));
        for (Map.Entry<String, Init> rule : plan.entrySet()) {
            if (rule.getKey().isEmpty() || parts.contains(rule.getKey())) {
                return rule.getValue();
            }
        }
        return otherwise;
    }

    /** Numbers in memory of their own, outside of scopes. */
    private static Tensor lasting(Tensor x, Device device) {
        Tensor copy = Tensor.lasting(x.spec(), device);
        Dispatch.overwrite(x.to(device), copy);
        return copy;
    }

    // ---- all of them ----

    /** DType of fresh parameters, or of those of the file. */
    public DType dtype() {
        return book.dtype;
    }

    /** Where the parameters lie. */
    public Device device() {
        return book.device;
    }

    /**
     * Keeps the parameters with this name, or below it, as they are: they are not tracked, and no
     * optimiser sees them. To be said before the layers are made.
     */
    public Params freeze(String name) {
        String full = join(name);
        for (String made : book.values.keySet()) {
            if (isBelow(made, full)) {
                throw new IllegalStateException("params: \"" + made + "\" is made already; freeze \"" + full + "\" before the layer");
            }
        }
        book.frozen.add(full);
        return this;
    }

    /**
     * The same numbers for layers that only compute: nothing they do is recorded. Layers made with these
     * parameters share the memory of the ones they were made for first, and see what training does to it:
     *
     * {@snippet :
     * LanguageModel writer = new LanguageModel(params.frozen(), config);
     * }
     */
    public Params frozen() {
        Map<String, Tensor> shared = new LinkedHashMap<>();
        (book.given != null ? book.given : book.values).forEach((name, value) -> shared.put(name, value.detach()));
        Book still = new Book(null, book.dtype, book.device, book.source == null ? "these parameters do not fit the model" : book.source, shared);
        still.allFrozen = true;
        return new Params(still, path, plan);
    }

    private boolean frozen(String name) {
        return book.allFrozen || book.frozen.stream().anyMatch(prefix -> isBelow(name, prefix));
    }

    private static boolean isBelow(String name, String prefix) {
        return name.equals(prefix) || name.startsWith(prefix + ".");
    }

    /**
     * Whether everything the layers asked for was in the file, and nothing else. Asked by all methods
     * that give parameters out.
     *
     * @throws MismatchException that lists all missing, extra and mis-shaped names
     */
    public void check() {
        if (book.given != null) {
            SequencedMap<String, Spec> given = new LinkedHashMap<>();
            book.given.forEach((name, value) -> given.put(name, value.spec()));
            Fit.check(book.source, book.wanted, given);
        }
    }

    /** Every parameter by its full name, frozen ones too, in the order of making. */
    public SequencedMap<String, Tensor> entries() {
        check();
        return Collections.unmodifiableSequencedMap(book.values);
    }

    /** The parameters that are not frozen by their full names, in the order of making. */
    public SequencedMap<String, Tensor> trainable() {
        SequencedMap<String, Tensor> trainable = new LinkedHashMap<>(entries());
        trainable.values().removeIf(value -> !value.tracked());
        return trainable;
    }

    /** Names of the {@link #values}. */
    public List<String> names() {
        return List.copyOf(trainable().keySet());
    }

    /** The parameters that are not frozen, in the order of making. */
    public List<Tensor> values() {
        return List.copyOf(trainable().values());
    }

    /** How many numbers all parameters are, frozen ones too. */
    public long count() {
        return entries().values().stream().mapToLong(value -> value.shape().elements()).sum();
    }

    /**
     * Overwrites each of the {@link #values} with what a rule makes of it and its gradient. To be called
     * when the graph of the step is of no further use.
     */
    public void update(List<Tensor> gradients, BiFunction<Tensor, Tensor, Tensor> rule) {
        List<Tensor> values = values();
        if (gradients.size() != values.size()) {
            throw new IllegalArgumentException("params: " + gradients.size() + " gradients for " + values.size() + " parameters");
        }
        for (int i = 0; i < gradients.size(); i++) {
            Dispatch.overwrite(rule.apply(values.get(i).detach(), gradients.get(i)), values.get(i));
        }
    }

    /** Writes all parameters, frozen ones too, as safetensors. */
    public void save(Path path, Map<String, String> metadata) throws IOException {
        Safetensors.write(path, entries(), metadata);
    }
}
