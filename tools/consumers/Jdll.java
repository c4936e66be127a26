import io.bioimage.modelrunner.bioimageio.description.ModelDescriptor;
import io.bioimage.modelrunner.bioimageio.description.ModelDescriptorFactory;
import io.bioimage.modelrunner.model.BaseModel;
import io.bioimage.modelrunner.model.processing.Processing;
import io.bioimage.modelrunner.model.tiling.ImageInfo;
import io.bioimage.modelrunner.model.tiling.TileCalculator;
import io.bioimage.modelrunner.model.tiling.TileInfo;
import io.bioimage.modelrunner.model.tiling.TileMaker;
import io.bioimage.modelrunner.model.tiling.merger.DenseMerger;
import io.bioimage.modelrunner.model.tiling.merger.Merger;
import io.bioimage.modelrunner.tensor.Tensor;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import net.imglib2.RandomAccess;
import net.imglib2.RandomAccessibleInterval;
import net.imglib2.img.array.ArrayImgs;
import net.imglib2.type.NativeType;
import net.imglib2.type.numeric.RealType;
import net.imglib2.type.numeric.real.FloatType;
import net.imglib2.util.Cast;

/**
 * Restores an image as JDLL's BioimageIoModelJava does, but for the engine, whose place onnx.mjs
 * takes: java Jdll FOLDER HEIGHT WIDTH [INPUT OUTPUT ENGINE...]
 *
 * <p>Prints how JDLL tiles. INPUT and OUTPUT are float32, OUTPUT after its shape; without them the
 * image is not restored.
 */
final class Jdll extends BaseModel {
    private static final String AXES = "bcyx";
    private final ModelDescriptor descriptor;
    private final Process engine;

    private Jdll(ModelDescriptor descriptor, Process engine) {
        this.descriptor = descriptor;
        this.engine = engine;
        this.loaded = true;
    }

    public static void main(String[] words) throws Exception {
        ModelDescriptor descriptor =
                ModelDescriptorFactory.readFromLocalFile(Path.of(words[0], "rdf.yaml").toString());
        long[] shape = {1, 1, Long.parseLong(words[1]), Long.parseLong(words[2])};
        TileMaker tiles = tiles(descriptor, shape);
        String in = descriptor.getInputTensors().get(0).getName();
        String out = descriptor.getOutputTensors().get(0).getName();
        System.out.println(
                "{\"tile\": " + Arrays.toString(tiles.getInputTileSize(in))
                        + ", \"positions\": " + Arrays.deepToString(
                                tiles.getTilePostionsInputImage(in).toArray())
                        + ", \"output\": " + Arrays.toString(tiles.getOutputImageSize(out)) + "}");
        if (words.length == 3) return;
        ByteBuffer image = ByteBuffer.wrap(Files.readAllBytes(Path.of(words[3])));
        List<String> command = Arrays.asList(words).subList(5, words.length);
        Process engine = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try (Jdll model = new Jdll(descriptor, engine)) {
            Tensor<FloatType> given = Tensor.build(in, AXES, read(image, shape));
            Tensor<FloatType> made = model.<FloatType, FloatType>inference(given).get(0);
            Files.write(Path.of(words[4]), written(made.getData()));
        }
    }

    private static TileMaker tiles(ModelDescriptor descriptor, long[] shape) {
        String name = descriptor.getInputTensors().get(0).getName();
        List<TileInfo> sizes = TileCalculator.init(descriptor)
                .getOptimalTileSize(List.of(new ImageInfo(name, AXES, shape)));
        return TileMaker.build(descriptor, sizes);
    }

    /** As in BioimageIoModelJava: the whole image is preprocessed, and then cut in tiles. */
    @Override
    protected <T extends RealType<T> & NativeType<T>, R extends RealType<R> & NativeType<R>>
            Merger<Tensor<T>, Tensor<R>> getTileMaker(List<Tensor<T>> inputs) {
        long[] shape = inputs.get(0).getData().dimensionsAsLongArray();
        DenseMerger<T, R> made = new DenseMerger<>(tiles(descriptor, shape));
        Processing processing = Processing.init(descriptor);
        processing.preprocess(inputs, true);
        made.addCallback(whole -> processing.postprocess(whole, true));
        made.configure(inputs);
        return made;
    }

    @Override
    protected <T extends RealType<T> & NativeType<T>, R extends RealType<R> & NativeType<R>>
            List<Tensor<R>> backboneSingleInferenceTile(List<Tensor<T>> inputs) {
        try {
            OutputStream to = engine.getOutputStream();
            to.write(written(inputs.get(0).getData()));
            to.flush();
            DataInputStream from = new DataInputStream(engine.getInputStream());
            long[] shape = new long[AXES.length()];
            long count = 1;
            ByteBuffer numbers = ByteBuffer.wrap(from.readNBytes(Integer.BYTES * shape.length))
                    .order(ByteOrder.LITTLE_ENDIAN);
            for (int i = 0; i < shape.length; i++) count *= shape[i] = numbers.getInt();
            ByteBuffer values = ByteBuffer.wrap(from.readNBytes((int) count * Float.BYTES));
            String name = descriptor.getOutputTensors().get(0).getName();
            List<Tensor<R>> made = new ArrayList<>();
            made.add(Cast.unchecked(Tensor.build(name, AXES, read(values, shape))));
            return made;
        } catch (IOException error) {
            throw new RuntimeException(error);
        }
    }

    private static RandomAccessibleInterval<FloatType> read(ByteBuffer values, long[] shape) {
        values.order(ByteOrder.LITTLE_ENDIAN);
        RandomAccessibleInterval<FloatType> image = ArrayImgs.floats(shape);
        walk(image, pixel -> pixel.setReal(values.getFloat()));
        return image;
    }

    private static <T extends RealType<T>> byte[] written(RandomAccessibleInterval<T> image) {
        long[] shape = image.dimensionsAsLongArray();
        int count = (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
        ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES * (shape.length + count))
                .order(ByteOrder.LITTLE_ENDIAN);
        for (long side : shape) bytes.putInt((int) side);
        walk(image, pixel -> bytes.putFloat(pixel.getRealFloat()));
        return bytes.array();
    }

    /** Visit all pixels, the last axis fastest; ImgLib2's own order is the first fastest. */
    private static <T extends RealType<T>> void walk(
            RandomAccessibleInterval<T> image, java.util.function.Consumer<T> visit) {
        RandomAccess<T> at = image.randomAccess();
        long[] place = image.minAsLongArray();
        int axis;
        do {
            at.setPosition(place);
            visit.accept(at.get());
            for (axis = place.length - 1; axis >= 0; axis--) {
                if (++place[axis] <= image.max(axis)) break;
                place[axis] = image.min(axis);
            }
        } while (axis >= 0);
    }

    @Override
    public void loadModel() {}

    @Override
    public void close() {
        engine.destroy();
    }
}
