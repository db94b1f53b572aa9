package dev.gatun.verify;

import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.module.ModuleReader;
import java.lang.module.ResolvedModule;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.jar.JarFile;
import java.util.stream.Stream;

/**
 * Every record that implements {@link Op} in some modules, or in some places of the class path,
 * with its samples. Nothing is registered anywhere: class files are looked through, in jars and
 * folders alike.
 *
 * {@snippet :
 * Catalogue mine = Catalogue.of(MyOp.class);     // everything that lies where MyOp lies
 * mine.problems().forEach(System.out::println);  // ops without samples
 * }
 */
public record Catalogue(List<Entry> entries) {

    /** An op's record, its samples, and why there are none, or the empty string. */
    public record Entry(Class<? extends Op> type, List<Sample> samples, String problem) {}

    /** The ops in the modules or class-path locations that these classes came from. */
    public static Catalogue of(Class<?>... anchors) {
        List<Entry> entries = new ArrayList<>();
        for (Class<?> anchor : anchors) {
            for (String name : classNames(anchor)) {
                Class<?> type = load(name, anchor.getClassLoader());
                if (type != null && type.isRecord() && Op.class.isAssignableFrom(type)) {
                    entries.add(entry(type.asSubclass(Op.class)));
                }
            }
        }
        entries.sort(Comparator.comparing(entry -> entry.type().getName()));
        return new Catalogue(List.copyOf(new LinkedHashSet<>(entries)));
    }

    /** All samples, ordered by the names of their ops' records. */
    public List<Sample> samples() {
        return entries.stream().flatMap(entry -> entry.samples.stream()).toList();
    }

    /** One line for each op that cannot be checked, with its name and what is missing. */
    public List<String> problems() {
        return entries.stream().filter(entry -> !entry.problem.isEmpty())
                .map(entry -> entry.type.getName() + ": " + entry.problem).toList();
    }

    private static Entry entry(Class<? extends Op> type) {
        try {
            Method method = type.getMethod("samples");
            if (!Modifier.isStatic(method.getModifiers())) {
                return new Entry(type, List.of(), "samples() is not static");
            }
            if (!Modifier.isPublic(type.getModifiers())) {
                method.setAccessible(true);
            }
            List<Sample> samples = new ArrayList<>();
            for (Object sample : (List<?>) method.invoke(null)) {
                if (!type.isInstance(((Sample) sample).op())) {
                    return new Entry(type, List.of(), "samples() has one of another op, " + sample);
                }
                samples.add((Sample) sample);
            }
            return new Entry(type, List.copyOf(samples), samples.isEmpty() ? "samples() is empty" : "");
        } catch (NoSuchMethodException e) {
            return new Entry(type, List.of(), "no public static List<Sample> samples()");
        } catch (IllegalAccessException | RuntimeException e) {
            return new Entry(type, List.of(), "samples() cannot be called: " + e.getMessage());
        } catch (InvocationTargetException e) {
            return new Entry(type, List.of(), "samples() fails: " + e.getCause());
        }
    }

    private static Class<?> load(String name, ClassLoader loader) {
        try {
            return Class.forName(name, false, loader);
        } catch (ClassNotFoundException | NoClassDefFoundError e) {
            return null; // needs something optional that is not here, which no record of an op does
        }
    }

    /** Names of the classes that lie where the anchor lies. */
    private static Set<String> classNames(Class<?> anchor) {
        try {
            Module module = anchor.getModule();
            Set<String> files = new LinkedHashSet<>();
            if (module.isNamed()) {
                Optional<ResolvedModule> resolved = module.getLayer().configuration().findModule(module.getName());
                try (ModuleReader reader = resolved.orElseThrow().reference().open(); Stream<String> list = reader.list()) {
                    list.forEach(files::add);
                }
            }
            // Also for modules: a build may have patched a folder of test classes in, which the module's own list lacks.
            CodeSource source = anchor.getProtectionDomain().getCodeSource();
            if (source != null && source.getLocation() != null) {
                files.addAll(filesAt(source.getLocation().toURI()));
            }
            Set<String> names = new LinkedHashSet<>();
            for (String file : files) {
                if (file.endsWith(".class") && !file.endsWith("-info.class") && !file.startsWith("META-INF/")) {
                    names.add(file.substring(0, file.length() - ".class".length()).replace('/', '.'));
                }
            }
            return names;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException("catalogue: no path to where " + anchor.getName() + " lies", e);
        }
    }

    private static List<String> filesAt(URI place) throws IOException {
        if (!"file".equals(place.getScheme())) {
            return List.of();
        }
        Path path = Path.of(place);
        if (Files.isDirectory(path)) {
            try (Stream<Path> walk = Files.walk(path)) {
                return walk.filter(Files::isRegularFile).map(file -> path.relativize(file).toString().replace('\\', '/')).toList();
            }
        }
        try (JarFile jar = new JarFile(path.toFile())) {
            return jar.stream().map(java.util.zip.ZipEntry::getName).toList();
        }
    }
}
