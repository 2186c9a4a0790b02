using Dataflow;
using Dataflow.GpuCheck;
using Dataflow.Model;

// `bench/gpu_check.sh` starts this program; the program starts itself again for each case (`case <stage> <case> <file>`), so that a kernel
// that hangs or takes the context down costs one case and no more.
Locations.UseNearest();
try
{
    return args is ["images", var images, .. var names] ? CompiledImages.Check(images, names)
        : args is ["case", var stage, var name, var file, .. var rest]
            ? CaseProcess.Run(CheckSettings.Parse(rest), stage, name, file)
            : CheckLoop.Run(CheckSettings.Parse(args));
}
catch (UserErrorException e)
{
    Console.Error.WriteLine($"error: {e.Message}");
    return e is MachineException ? 1 : 2;
}
