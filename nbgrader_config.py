"""nbgrader's view of the course: solutions/ is its source, exercises/ its release, grading/ (git-ignored) the rest."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent
(ROOT / "grading").mkdir(exist_ok=True)  # the gradebook's folder has to exist

c = get_config()  # noqa: F821 - nbgrader defines it
c.CourseDirectory.course_id = "minqwen"
c.CourseDirectory.root = str(ROOT)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.submitted_directory = "grading/submitted"
c.CourseDirectory.autograded_directory = "grading/autograded"
c.CourseDirectory.feedback_directory = "grading/feedback"
c.CourseDirectory.db_url = f"sqlite:///{(ROOT / 'grading' / 'gradebook.db').as_posix()}"
c.ClearSolutions.code_stub = {
    "python": 'raise NotImplementedError("replace this line with your code, run this cell, then the next")'
}
c.ExecutePreprocessor.timeout = 120
# Moodle's "download all submissions", unzipped into grading/downloaded/<assignment>/archive/: the files are named
# "Ann Lee_123_assignsubmission_file_01_attention.ipynb", or the last underscore is the end of a folder.
c.ZipCollectApp.collect_directory_structure = "grading/downloaded/{assignment_id}/{collect_step}"
c.FileNameCollectorPlugin.named_regexp = (
    r".*[/\\](?P<student_id>[^/\\]+_\d+)_assignsubmission_file[_/\\]+(?P<file_id>\w+)"
)
