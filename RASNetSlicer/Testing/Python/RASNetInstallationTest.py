"""Whether the extension is whole where Slicer has it: run by CTest inside desktop Slicer."""

import hashlib
import unittest

import slicer


class RASNetInstallationTest(unittest.TestCase):
    """What the module needs from the extension and from Slicer, before anything is installed by pip."""

    def test_module_is_loaded(self):
        """Slicer found the module, and its widget builds."""
        assert "RASNetSlicer" in slicer.app.moduleManager().modulesNames()
        assert slicer.util.getModuleWidget("RASNetSlicer") is not None

    def test_rasnet_comes_from_the_extension(self):
        """The package that this Python imports is the one that the extension brought, with its weights."""
        from RASNetSlicerLib.bundle_path import make_rasnet_importable

        bundle = make_rasnet_importable()

        import rasnet.bundle

        assert rasnet.bundle.bundle_root().resolve() == bundle.resolve()
        assert rasnet.bundle.weights_path().is_file()

    def test_sample_clip_is_whole_and_offered(self):
        """The clip is the one that was published, and Sample Data has a button for it."""
        from RASNetSlicerLib.bundle_path import extension_file
        from RASNetSlicerLib.sample_data import CLIP, CLIP_SHA256, SAMPLE_NAME, register_sample_data

        assert hashlib.sha256(extension_file(CLIP).read_bytes()).hexdigest() == CLIP_SHA256
        register_sample_data(self.fail)  # to be called by the button alone
        sources = [source for source in slicer.modules.sampleDataSources["RASNet"] if source.sampleName == SAMPLE_NAME]
        assert len(sources) == 1

    def test_terminology_is_loaded(self):
        """Slicer lists the surgical instruments that layers are tagged with."""
        from RASNetSlicerLib.terminology import TERMINOLOGY
        from RASNetSlicerLib.terminology_file import TERMINOLOGY_FILE

        logic = slicer.modules.terminologies.logic()
        if not logic.IsTerminologyContextLoaded(TERMINOLOGY):
            assert logic.LoadTerminologyFromFile(str(TERMINOLOGY_FILE)) == TERMINOLOGY
        entry = slicer.vtkSlicerTerminologyEntry()
        assert logic.FindTypeInTerminologyBy3dSlicerLabel(TERMINOLOGY, "Large Needle Driver", entry)
        assert entry.GetTypeObject().GetCodeValue() == "59746007"
