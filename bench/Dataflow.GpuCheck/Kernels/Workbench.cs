using System.Runtime.InteropServices;
using Dataflow.Cuda;
using Dataflow.Cuda.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.GpuCheck;

/// <summary>
/// The kernels of the device as training launches them, on operands of its own: a stream, the catalog, and memory that is given back after
/// each trial.
/// </summary>
internal sealed class Workbench : IDisposable
{
    /// <summary>Of updates that have one, which is Nesterov's.</summary>
    public const float Momentum = 0.75f;

    private static readonly Bytes s_stepBlock = new(256);
    private readonly KernelLibrary library;
    private readonly DeviceMemory fixedMemory;
    private readonly List<DeviceMemory> taken = [];
    private readonly HashSet<Product> prepared = [];
    private readonly Attention attention;
    private readonly Geometry geometry;
    private int arrays;

    /// <param name="model">Whose widths operands have.</param>
    /// <param name="tokens">Rows of activations.</param>
    /// <param name="cudnn">By which attention is computed; null: by our own kernels.</param>
    public Workbench(CheckSettings settings, ModelConfig model, int tokens, Recipe recipe, CudnnTarget? cudnn = null)
    {
        (Model, Tokens, Recipe) = (model, tokens, recipe);
        var gpu = settings.OpenGpu();
        Context = CudaContext.Open(gpu);
        Stream = CudaStream.Create(Context);
        Blas = CublasLt.Open(Context);
        library = new KernelLibrary(Context, GpuAccess.KernelsFor(gpu));
        fixedMemory = DeviceMemory.Allocate(Context, Gemm.Workspace + s_stepBlock, "the workspace of matrix products");
        var optimizer = Optimizer.AdamW.Defaults with { Momentum = Momentum, Nesterov = 1 };
        var step = new StepBlock(new StepArguments(3, optimizer, 1f / 512));
        fixedMemory.Write(Gemm.Workspace, MemoryMarshal.AsBytes(new ReadOnlySpan<StepBlock>(in step)));
        geometry = new Geometry(tokens, 1, tokens, 1, 1, tokens) { Cudnn = cudnn };
        var workload = new Workload(model, recipe, geometry, WorkloadKind.Training);
        Kernels = new KernelSet(
            library,
            new Gemm(Blas, fixedMemory.Start),
            attention = new Attention(library, Context, workload),
            workload.Optimizer,
            fixedMemory.Start + Gemm.Workspace
        );
        IsEmulated = settings.Emulated;
    }

    /// <summary>How cuDNN computes attention, made ready; null: our own kernels do.</summary>
    /// <exception cref="MachineException">It was asked for, and is not for these heads.</exception>
    public CudnnCalls? CudnnOf(CudnnPass pass)
    {
        var calls = CudnnCalls.Of(new AttentionWorkload(Model, Recipe, geometry), Model.Kinds.First(), pass, out string? refusal);
        if (refusal is not null)
        {
            throw new MachineException($"cuDNN does not compute attention's {pass.ToString().ToLowerInvariant()}: {refusal}");
        }

        if (calls is not null)
        {
            attention.Prepare(calls);
        }

        return calls;
    }

    /// <summary>Timings mean nothing then.</summary>
    public bool IsEmulated { get; }

    public ModelConfig Model { get; }

    public int Tokens { get; }

    public Recipe Recipe { get; }

    /// <summary>Of activations and weights.</summary>
    public DType Type => Recipe.Activations;

    public CudaContext Context { get; }

    public CudaStream Stream { get; }

    public CublasLt Blas { get; }

    public KernelSet Kernels { get; }

    /// <summary>Where algorithms may keep partial sums.</summary>
    public DevicePointer GemmWorkspace => fixedMemory.Start;

    /// <summary>Numbers around zero, each known on the host.</summary>
    public Numbers Random(int rows, int columns, DType? type = null, float scale = 1, float offset = 0)
    {
        var numbers = new Numbers(Take(rows, columns, type ?? Type), ++arrays, scale, offset);
        numbers.Fill(taken[^1]);
        return numbers;
    }

    /// <summary>Room for a result. Every byte is 0xff, NaN as a float: what is not written is seen.</summary>
    public Tensor Room(int rows, int columns, DType? type = null) => Take(rows, columns, type ?? Type);

    /// <summary>Room for a workspace.</summary>
    public nuint Room(Bytes length) => Take(1, checked((int)((length.Value + 3) / 4)), DType.Float32).Address;

    /// <summary>Integers of the host's choice.</summary>
    public nuint Integers(ReadOnlySpan<int> values)
    {
        var tensor = Take(1, values.Length, DType.Float32);
        taken[^1].Write(Bytes.Zero, MemoryMarshal.AsBytes(values));
        return tensor.Address;
    }

    /// <summary>The first elements from one on, as fp32.</summary>
    public float[] Read(Tensor tensor, long first, int count)
    {
        var memory = taken.Single(m => m.Start.Address == tensor.Address);
        float[] values = new float[count];
        byte[] raw = new byte[count * tensor.Type.Size()];
        memory.Read(new Bytes(first * tensor.Type.Size()), raw);
        for (int i = 0; i < count; i++)
        {
            values[i] = tensor.Type switch
            {
                DType.Float32 => MemoryMarshal.Cast<byte, float>(raw)[i],
                DType.UInt8 => raw[i],
                _ => BitConverter.UInt32BitsToSingle((uint)MemoryMarshal.Cast<byte, ushort>(raw)[i] << 16),
            };
        }

        return values;
    }

    /// <summary>Chooses a product's algorithm, once.</summary>
    public void Prepare(in Product product)
    {
        if (prepared.Add(product))
        {
            Kernels.Gemm.Prepare(product);
        }
    }

    /// <summary>Seconds of one launch: the mean of many in a row, after others of the same that bring clocks to where they stay.</summary>
    /// <param name="measuredSeconds">How long to measure, and as long before that to warm up.</param>
    public double Seconds(Action launch, double measuredSeconds = 0.15)
    {
        using var start = CudaEvent.Create(Context, EventTiming.On);
        using var end = CudaEvent.Create(Context, EventTiming.On);
        double Time(int count)
        {
            Stream.Record(start);
            for (int i = 0; i < count; i++)
            {
                launch();
            }

            Stream.Record(end);
            end.Synchronize();
            return end.MillisecondsSince(start) / 1e3;
        }

        double once = Math.Max(Time(1), 1e-6);
        if (IsEmulated)
        {
            return once;
        }

        once = Math.Max(Time(Count(measuredSeconds / 10)) / Count(measuredSeconds / 10), 1e-6);
        Time(Count(measuredSeconds));
        int count = Count(measuredSeconds);
        return Time(count) / count;

        int Count(double seconds) => Math.Clamp((int)(seconds / once), 1, 10000);
    }

    /// <summary>Gives the operands back.</summary>
    public void Clear()
    {
        Stream.Synchronize();
        taken.ForEach(m => m.Dispose());
        taken.Clear();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        taken.ForEach(m => m.Dispose());
        attention.Dispose();
        Kernels.Gemm.Dispose();
        fixedMemory.Dispose();
        library.Dispose();
        Blas.Dispose();
        Stream.Dispose();
        Context.Dispose();
    }

    private Tensor Take(int rows, int columns, DType type)
    {
        var memory = DeviceMemory.Allocate(Context, new Bytes(Math.Max((long)rows * columns * type.Size(), 256)), "an operand");
        taken.Add(memory);
        Stream.Fill(memory.Start, 0xff, memory.Length);
        Stream.Synchronize();
        return new Tensor((nuint)memory.Start.Address, type, rows, columns);
    }
}

/// <summary>
/// A tensor of numbers that repeat after a prime number of elements, so that the host knows each without keeping them all.
/// </summary>
internal sealed class Numbers
{
    private const int Period = 1048573;
    private readonly float[] tile = new float[Period];

    public Numbers(Tensor tensor, int seed, float scale, float offset)
    {
        Tensor = tensor;
        var random = new Random(seed);
        for (int i = 0; i < Period; i++)
        {
            // Close to normal: the sum of four uniform ones.
            double sum = random.NextDouble() + random.NextDouble() + random.NextDouble() + random.NextDouble() - 2;
            float value = (float)((sum * 1.7320508 * scale) + offset);
            tile[i] = tensor.Type == DType.Float32 ? value : Rounded(value);
        }
    }

    public Tensor Tensor { get; }

    /// <summary>An element.</summary>
    public double this[long row, long column] => At((row * Tensor.Columns) + column);

    /// <summary>An element by its place in memory.</summary>
    public double At(long index) => tile[index % Period];

    /// <summary>Writes them into their memory.</summary>
    public void Fill(DeviceMemory memory)
    {
        long count = (long)Tensor.Rows * Tensor.Columns, size = Tensor.Type.Size();
        byte[] raw = new byte[Period * size];
        for (int i = 0; i < Period; i++)
        {
            if (size == 4)
            {
                MemoryMarshal.Cast<byte, float>(raw.AsSpan())[i] = tile[i];
            }
            else
            {
                MemoryMarshal.Cast<byte, ushort>(raw.AsSpan())[i] = (ushort)(BitConverter.SingleToUInt32Bits(tile[i]) >> 16);
            }
        }

        for (long done = 0; done < count; done += Period)
        {
            memory.Write(new Bytes(done * size), raw.AsSpan(0, (int)(Math.Min(Period, count - done) * size)));
        }
    }

    /// <summary>To bf16, to nearest even.</summary>
    public static float Rounded(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000);
    }
}
