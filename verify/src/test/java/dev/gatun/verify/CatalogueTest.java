package dev.gatun.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.Op;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CatalogueTest {

    @Test
    void ops_are_found_in_this_module_and_the_ones_without_samples_are_named() {
        Catalogue catalogue = Catalogue.of(ExampleOps.class);
        assertEquals(List.of(
                "dev.gatun.verify.ExampleOps$CubeOnce: no public static List<Sample> samples()",
                "dev.gatun.verify.ExampleOps$HastySum: samples() fails: java.lang.IllegalStateException: no idea",
                "dev.gatun.verify.ExampleOps$ProductOfFrozenGradient: samples() is not static",
                "dev.gatun.verify.ExampleOps$WrongCube: samples() is empty"), catalogue.problems());
        assertEquals(List.of("Cube[] [2, 3]"), catalogue.samples().stream().map(Object::toString).toList());
    }

    @Test
    void ops_are_found_in_a_jar_and_in_a_folder_of_the_class_path(@TempDir Path temp) throws Exception {
        Path jar = temp.resolve("ops.jar");
        Path folder = temp.resolve("classes");
        try (OutputStream out = Files.newOutputStream(jar); JarOutputStream zip = new JarOutputStream(out)) {
            for (String name : List.of("ExampleOps", "ExampleOps$Cube")) {
                String file = "dev/gatun/verify/" + name + ".class";
                byte[] bytes = ExampleOps.class.getResourceAsStream(name + ".class").readAllBytes();
                zip.putNextEntry(new JarEntry(file));
                zip.write(bytes);
                Files.createDirectories(folder.resolve(file).getParent());
                Files.write(folder.resolve(file), bytes);
            }
        }
        assertEquals(List.of("Cube[] [2, 3]"), samplesAt(jar));
        assertEquals(List.of("Cube[] [2, 3]"), samplesAt(folder));
    }

    private static List<String> samplesAt(Path place) throws IOException, ReflectiveOperationException {
        URL[] urls = {place.toUri().toURL()};
        try (URLClassLoader own = new OnlyTheseFirst(urls)) {
            Class<?> anchor = own.loadClass("dev.gatun.verify.ExampleOps");
            assertTrue(anchor != ExampleOps.class && Op.class.isAssignableFrom(own.loadClass("dev.gatun.verify.ExampleOps$Cube")));
            return Catalogue.of(anchor).samples().stream().map(Object::toString).toList();
        }
    }

    /** Loads the examples itself and everything else from where this test came. */
    private static final class OnlyTheseFirst extends URLClassLoader {
        OnlyTheseFirst(URL[] urls) {
            super(urls, CatalogueTest.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.startsWith("dev.gatun.verify.ExampleOps")) {
                return super.loadClass(name, resolve);
            }
            Class<?> loaded = findLoadedClass(name);
            return loaded == null ? findClass(name) : loaded;
        }
    }
}
