using System.Runtime.InteropServices;
using Dataflow.Cuda.Interop;
using Dataflow.Model;
using static Dataflow.Cuda.CudnnAttributeName;

namespace Dataflow.Cuda;

/// <summary>
/// A graph made ready to run: its engine found, or asked for by number, its code made. Runs allocate nothing of ours; cuDNN reads the
/// graph's numbers from memory that lives as long as this.
/// </summary>
public sealed unsafe class CudnnPlan : IDisposable
{
    // Heuristics by kernels' models, then whatever can run at all.
    private static readonly int[] s_modes = [3, 2];
    private const int NumberBytes = 16;

    private readonly CudnnHandle handle;
    private readonly CudnnGraph graph;
    private readonly CudnnDescriptors descriptors;
    private readonly byte* numbers;
    private readonly nint plan;

    /// <summary>Makes it. cuDNN compiles here: it takes up to a second or two.</summary>
    /// <param name="handle">Of the context that it will run in; not disposed of before this.</param>
    /// <param name="graph">What it computes.</param>
    /// <exception cref="CudaException">
    /// The library has no engine for it, or asks for more workspace than <see cref="CudnnWorkspace"/> says.
    /// </exception>
    public CudnnPlan(CudnnHandle handle, CudnnGraph graph)
    {
        (this.handle, this.graph) = (handle, graph);
        descriptors = new CudnnDescriptors(new CudnnBackend(), graph);
        try
        {
            plan = graph.Answer.Engine is { } engine ? Planned(Configuration(engine)) : First();
            Workspace = new Bytes(Whole(plan, ExecutionPlanWorkspaceSize));
        }
        catch
        {
            descriptors.Dispose();
            throw;
        }

        numbers = (byte*)NativeMemory.AllocZeroed((nuint)(Math.Max(1, graph.Scalars.Length) * NumberBytes));
        for (int i = 0; i < graph.Scalars.Length; i++)
        {
            byte* at = numbers + (i * NumberBytes);
            var (_, type, value) = graph.Scalars[i];
            if (type == CudnnDataType.Int32)
            {
                *(int*)at = (int)value;
            }
            else
            {
                *(float*)at = (float)value;
            }
        }
    }

    /// <summary>What the library asks for: no more than was planned.</summary>
    public Bytes Workspace { get; }

    /// <summary>Appends it to the handle's stream.</summary>
    /// <param name="pointers">Of all tensors that memory stands behind.</param>
    /// <param name="workspace"><see cref="Workspace"/> bytes.</param>
    /// <exception cref="CudaException">The library refuses it.</exception>
    public void Run(in CudnnPointers pointers, nuint workspace)
    {
        int tensors = graph.Tensors.Length, count = tensors + graph.Scalars.Length;
        long* ids = stackalloc long[count];
        nuint* at = stackalloc nuint[count];
        for (int i = 0; i < tensors; i++)
        {
            (ids[i], at[i]) = ((long)graph.Tensors[i], pointers[graph.Tensors[i]]);
        }

        for (int i = tensors; i < count; i++)
        {
            (ids[i], at[i]) = ((long)graph.Scalars[i - tensors].Operand, (nuint)(numbers + ((i - tensors) * NumberBytes)));
        }

        nint pack;
        CudnnApi.cudnnBackendCreateDescriptor(CudnnDescriptorType.VariantPack, &pack).Check("giving cuDNN pointers");
        try
        {
            Set(pack, VariantPackUniqueIds, CudnnAttributeType.Int64, count, ids);
            Set(pack, VariantPackDataPointers, CudnnAttributeType.Pointer, count, at);
            Set(pack, VariantPackWorkspace, CudnnAttributeType.Pointer, 1, &workspace);
            CudnnApi.cudnnBackendFinalize(pack).Check("giving cuDNN pointers");
            CudnnApi.cudnnBackendExecute(handle, plan, pack).Check("running cuDNN's attention");
        }
        finally
        {
            _ = CudnnApi.cudnnBackendDestroyDescriptor(pack);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        descriptors.Dispose();
        NativeMemory.Free(numbers);
    }

    private static void Set(nint descriptor, CudnnAttributeName name, CudnnAttributeType type, long count, void* elements) =>
        CudnnApi.cudnnBackendSetAttribute(descriptor, name, type, count, elements).Check("setting an attribute of cuDNN's");

    private static long Whole(nint descriptor, CudnnAttributeName name)
    {
        long found, value = 0;
        CudnnApi.cudnnBackendGetAttribute(descriptor, name, CudnnAttributeType.Int64, 1, &found, &value)
            .Check("asking cuDNN for a workspace");
        return value;
    }

    /// <summary>The configuration of an engine that is asked for by number.</summary>
    private nint Configuration(CudnnEngine engine)
    {
        int made = descriptors.Add(
            new(CudnnDescriptorType.Engine, [
                new CudnnAttribute.References(EngineOperationGraph, [graph.OperationGraph]),
                new CudnnAttribute.Integers(EngineGlobalIndex, CudnnAttributeType.Int64, [engine.Index]),
            ])
        );
        int[] knobs =
        [
            .. engine.Knobs.Select(knob => descriptors.Add(
                new(CudnnDescriptorType.KnobChoice, [
                    new CudnnAttribute.Integers(KnobChoiceType, CudnnAttributeType.KnobType, [knob.Type]),
                    new CudnnAttribute.Integers(KnobChoiceValue, CudnnAttributeType.Int64, [knob.Value]),
                ])
            )),
        ];
        return descriptors[
            descriptors.Add(
                new(CudnnDescriptorType.EngineConfiguration, [
                    new CudnnAttribute.References(EngineConfigurationEngine, [made]),
                    new CudnnAttribute.References(EngineConfigurationKnobChoices, [.. knobs]),
                ])
            )
        ];
    }

    /// <summary>The first of those that heuristics propose that can be had: that one cannot is usual.</summary>
    private nint First()
    {
        CudaException? last = null;
        foreach (int mode in s_modes)
        {
            foreach (nint configuration in Proposed(mode))
            {
                try
                {
                    return Planned(configuration);
                }
                catch (CudaException e)
                {
                    last = e;
                }
            }
        }

        throw last ?? new CudaException($"cuDNN {graph.Target.Library} has no engine for {graph.Name}; {Own}", "NO_ENGINE");
    }

    private nint[] Proposed(int mode)
    {
        nint heuristics = descriptors[
            descriptors.Add(
                new(CudnnDescriptorType.EngineHeuristics, [
                    new CudnnAttribute.References(EngineHeuristicsOperationGraph, [graph.OperationGraph]),
                    new CudnnAttribute.Integers(EngineHeuristicsMode, CudnnAttributeType.HeuristicsMode, [mode]),
                ])
            )
        ];
        long count;
        Results(heuristics, 0, &count, null);
        nint[] made = new nint[count];
        for (int i = 0; i < made.Length; i++)
        {
            made[i] = descriptors[descriptors.Create(CudnnDescriptorType.EngineConfiguration)];
        }

        fixed (nint* first = made)
        {
            Results(heuristics, count, &count, first);
        }

        return made[..(int)count];
    }

    private static void Results(nint heuristics, long wanted, long* found, nint* into) =>
        CudnnApi.cudnnBackendGetAttribute(heuristics, EngineHeuristicsResults, CudnnAttributeType.Descriptor, wanted, found, into)
            .Check("asking cuDNN for engines");

    /// <summary>The plan of a configuration whose workspace is no more than was planned.</summary>
    private nint Planned(nint configuration)
    {
        long asked = Whole(configuration, EngineConfigurationWorkspaceSize);
        if (asked > graph.Answer.Workspace.Value)
        {
            throw new CudaException(
                $"cuDNN {graph.Target.Library} asks for {asked} bytes of workspace for {graph.Name}, and by its formula the plan has "
                    + $"{graph.Answer.Workspace.Value}; {Own}",
                "WORKSPACE"
            );
        }

        nint made = descriptors[descriptors.Create(CudnnDescriptorType.ExecutionPlan)];
        nint library = handle.Value;
        Set(made, ExecutionPlanHandle, CudnnAttributeType.Handle, 1, &library);
        Set(made, ExecutionPlanEngineConfiguration, CudnnAttributeType.Descriptor, 1, &configuration);
        CudnnApi.cudnnBackendFinalize(made).Check($"planning {graph.Name}");
        return made;
    }

    private const string Own = "plan with --attention own";
}
