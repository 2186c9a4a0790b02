using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>
/// Faults between a schedule and its kernels, and in kernels: each is found in the step that has it, and named with the op that it is in.
/// </summary>
[Trait("Slow", "true")]
public sealed class PlantedFaultTests
{
    private static readonly TrainingPlan s_plan = TinyTraining.Plan();

    [Fact]
    public void Without_a_fault_nothing_is_found() => Assert.Null(Run(null));

    /// <summary>
    /// Every operand of every function that the step calls, in both directions. Where two operands of a kernel lie side by side, reading a
    /// little of one for the other is a legal access, and the result says it.
    /// </summary>
    [Fact]
    public void An_operand_off_by_16_bytes_is_found()
    {
        Assert.Null(Run(null, out byte[] right));
        var missed = new List<string>();
        int planted = 0, found = 0;
        foreach (var method in typeof(IKernels).GetMethods())
        {
            foreach (var (operand, _) in PassedArguments.Of(method).Where(p => IsOperand(p.Type)))
            {
                // A workspace has room for other shapes of attention: a little further on is still inside.
                foreach (int bytes in operand == "Workspace" ? [-16] : new[] { 16, -16 })
                {
                    bool reached = false;
                    string? said = Run(PlantedFault.In(method.Name, arguments =>
                    {
                        if (!reached && PlantedFault.Moved(arguments[operand], bytes) is { } moved)
                        {
                            (arguments[operand], reached) = (moved, true);
                            planted++;
                        }

                        return true;
                    }), out byte[] result);
                    found += said is not null ? 1 : 0;
                    if (said is null && reached && result.AsSpan().SequenceEqual(right))
                    {
                        missed.Add($"{method.Name}, {operand} {bytes:+0;-0}");
                    }
                }
            }
        }

        Assert.True(missed.Count == 0, $"{missed.Count} of {planted} were missed\n{string.Join("\n", missed)}");
        Assert.True(planted > 120 && found > planted * 9 / 10, $"{planted} operands were moved, the driver found {found}");
    }

    [Fact]
    public void The_message_names_kernel_op_and_place()
    {
        string? found = Run(PlantedFault.In(nameof(IKernels.GatedActivationForward), arguments =>
            {
                arguments["Ffn"] = PlantedFault.Moved(arguments["Ffn"], 16);
                return true;
            }));
        Assert.Matches(
            @"In kernel 'swi_glu_forward_f32' of op \d+ Forward L00 C0 R0 \(stream \d+, operation \d+\), "
                + @"block .* writes 16 bytes at device allocation \d+ \(\d+ bytes\) \+ \d+, "
                + @"which is not in the ranges that were declared for it\.",
            found
        );
    }

    [Fact]
    public void An_operand_in_memory_that_was_freed_is_found()
    {
        string? found = Run(PlantedFault.In(nameof(IKernels.GatedActivationForward), arguments =>
        {
            arguments["GateUp"] = (Tensor)arguments["GateUp"]! with { Address = Freed() };
            return true;
        }));
        Assert.NotNull(found);
        Assert.Contains("which was freed", found, StringComparison.Ordinal);
        Assert.Contains("Forward L00 C0 R0", found, StringComparison.Ordinal);
    }

    /// <summary>The launch is missing, or does not get as far as the last row.</summary>
    [Theory]
    [InlineData(nameof(IKernels.Copy))]
    [InlineData(nameof(IKernels.EmbeddingForward), "X")]
    [InlineData(nameof(IKernels.RmsNormForward), "Y")]
    [InlineData(nameof(IKernels.Gemm))]
    [InlineData(nameof(IKernels.QkNormRopeForward))]
    [InlineData(nameof(IKernels.AttentionForward))]
    [InlineData(nameof(IKernels.GatedActivationForward), "Ffn")]
    [InlineData(nameof(IKernels.CrossEntropy))]
    [InlineData(nameof(IKernels.AttentionBackward))]
    [InlineData(nameof(IKernels.SquaredSum))]
    [InlineData(nameof(IKernels.QkNormRopeBackward))]
    public void An_output_that_is_not_written_is_found(string kernel, string? rows = null)
    {
        string? found = Run(PlantedFault.In(kernel, Once(_ => false)));
        Assert.Contains("which nothing has written", found ?? "nothing is found", StringComparison.Ordinal);
        if (rows is not null)
        {
            found = Run(
                PlantedFault.In(
                    kernel,
                    Once(arguments =>
                    {
                        var output = (Tensor)arguments[rows]!;
                        foreach (string name in arguments.Names)
                        {
                            if (arguments[name] is Tensor tensor && tensor.Rows == output.Rows)
                            {
                                arguments[name] = tensor with { Rows = output.Rows - 1 };
                            }
                        }

                        return true;
                    })
                )
            );
            Assert.Contains("which nothing has written", found ?? "nothing is found", StringComparison.Ordinal);
        }
    }

    /// <summary>Kernels of ours with one barrier taken out (native/emulation/Makefile).</summary>
    [Fact]
    public void A_missing_barrier_is_found()
    {
        string folder = Path.Combine(EmulatedDriver.Folder, "tests", "mutants");
        string[] mutants = Directory.GetFiles(folder, "*.so");
        Assert.NotEmpty(mutants);
        var missed = new List<string>();
        foreach (string mutant in mutants)
        {
            string? found = Run(null, new Mutated(mutant));
            if (found is null || !found.Contains("shared memory", StringComparison.Ordinal))
            {
                missed.Add($"{Path.GetFileName(mutant)}: {found ?? "nothing is found"}");
            }
        }

        Assert.True(missed.Count == 0, string.Join("\n", missed));
    }

    [Fact]
    public void A_kernel_whose_op_does_not_access_its_operand_is_refused_at_once()
    {
        // The op says that it reads 16 bytes less than its kernels do.
        int at = s_plan.Schedule.Ops.IndexOf(s_plan.Schedule.Ops.First(o => o.Kind == OpKind.Forward));
        var op = s_plan.Schedule.Ops[at];
        int input = op.Accesses.IndexOf(op.Accesses.First(a => a.Role == Roles.Input));
        var access = op.Accesses[input];
        var broken = s_plan.Schedule with
        {
            Ops = s_plan.Schedule.Ops.SetItem(
                at,
                op with
                {
                    Accesses = op.Accesses.SetItem(input, access with { Length = access.Length - new Bytes(16) }),
                }
            ),
        };
        using var device = Open(broken, null, Whole);
        var refused = Assert.Throws<InvalidOperationException>(() =>
            TinyTraining.Step(s_plan, TinyTraining.Trainer(s_plan, broken, device))
        );
        Assert.Matches(
            @"^op \d+ Forward L00 C0 R0 calls \w+, which reads \d+ bytes at 0x[0-9a-f]+: the op's accesses do not say so$",
            refused.Message
        );
    }

    private static KernelImages Whole => KernelImages.Emulated(EmulatedDriver.Folder);

    private static bool IsOperand(Type type) =>
        (Nullable.GetUnderlyingType(type) ?? type.GetElementType() ?? type) is var t
        && (t == typeof(UpdateRange) || t == typeof(nuint) || t == typeof(Tensor) || t == typeof(WindowRows) || t == typeof(ChunkContext));

    /// <summary>A change of the first call only.</summary>
    private static Func<PassedArguments, bool> Once(Func<PassedArguments, bool> change)
    {
        bool done = false;
        return arguments => done || !(done = true) || change(arguments);
    }

    private static nuint Freed()
    {
        using var context = CudaContext.Open(EmulatedDriver.Gpu);
        var memory = DeviceMemory.Allocate(context, new Bytes(1 << 16), "a test");
        nuint address = (nuint)memory.Start.Address;
        memory.Dispose();
        return address;
    }

    private static CudaDevice Open(Schedule schedule, Func<IKernels, IKernels>? fault, KernelImages images)
    {
        var gpu = EmulatedDriver.Gpu;
        CudaEmulation.Seed(1);
        return new CudaDevice(schedule, s_plan.Workload, CudaContext.Open(gpu), images, fault ?? (kernels => kernels));
    }

    private static string? Run(Func<IKernels, IKernels>? fault, KernelImages? images = null) => Run(fault, out _, images);

    /// <summary>What the driver says of a step and of reading its results; null where it has nothing to say.</summary>
    private static string? Run(Func<IKernels, IKernels>? fault, out byte[] weights, KernelImages? images = null)
    {
        using var device = Open(s_plan.Schedule, fault, images ?? Whole);
        var trainer = TinyTraining.Trainer(s_plan, s_plan.Schedule, device);
        weights = [];
        try
        {
            _ = TinyTraining.Step(s_plan, trainer);
            weights =
            [
                .. GoldenCase
                    .Tensors(trainer.Weights)
                    .OrderBy(t => t.Key, StringComparer.Ordinal)
                    .SelectMany(t => t.Value.SelectMany(BitConverter.GetBytes)),
            ];
            return null;
        }
        catch (CudaException e)
        {
            CudaEmulation.ClearError();
            return e.Message;
        }
        catch (UserErrorException)
        {
            return null; // the loss is no number: not found by the driver, but the result says it
        }
    }

    private sealed class Mutated(string mutant) : KernelImages
    {
        public override string Description => Path.GetFileName(mutant);

        public override CudaModule Load(CudaContext context, string kernel) =>
            kernel == Path.GetFileName(mutant).Split('.')[0] ? CudaModule.LoadFile(context, kernel, mutant) : Whole.Load(context, kernel);
    }
}
