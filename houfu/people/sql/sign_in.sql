-- sign_in: which member of the staff a login is, what sign-in remembers, and who may touch the tables of its libraries.

-- A login belongs to one member of the staff for good. Sign-in looks for it among all merchants'.
CREATE TABLE people_login (
    user_id integer PRIMARY KEY REFERENCES auth_user,
    merchant_id bigint NOT NULL,
    staff_id bigint NOT NULL,
    CONSTRAINT people_login_one_each UNIQUE (merchant_id, staff_id),
    CONSTRAINT people_login_staff FOREIGN KEY (merchant_id, staff_id) REFERENCES people_staff (merchant_id, id)
);
GRANT INSERT ON people_login TO houfu_app;

-- A second person confirms what one has asked for: that somebody who has lost their factors may begin anew.
CREATE TABLE people_recovery (
    merchant_id bigint NOT NULL,
    staff_id bigint NOT NULL,
    asked_by text NOT NULL,
    person text NOT NULL,
    asked_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, staff_id),
    CONSTRAINT people_recovery_staff FOREIGN KEY (merchant_id, staff_id) REFERENCES people_staff (merchant_id, id)
);
GRANT INSERT, UPDATE, DELETE ON people_recovery TO houfu_app;

-- What must be known to every web process for a while: attempts that count, codes that were used.
CREATE TABLE people_memory (
    key text PRIMARY KEY,
    value text NOT NULL,
    expires_at timestamptz NOT NULL
);
GRANT INSERT, UPDATE, DELETE ON people_memory TO houfu_app;

-- The libraries' tables: the web process gets what signing in needs, the auditor nothing of it.
DO $$ DECLARE found text; BEGIN
    FOR found IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname IN (
        'auth_user', 'auth_group', 'auth_permission', 'auth_group_permissions', 'auth_user_groups',
        'auth_user_user_permissions', 'django_content_type', 'django_session', 'account_emailaddress',
        'account_emailconfirmation', 'mfa_authenticator', 'usersessions_usersession', 'people_memory', 'people_login')
    LOOP
        EXECUTE format('REVOKE ALL ON %I FROM houfu_verify', found);
    END LOOP;
    FOR found IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname IN (
        'auth_group', 'auth_permission', 'auth_group_permissions', 'auth_user_groups', 'auth_user_user_permissions',
        'account_emailconfirmation')
    LOOP
        EXECUTE format('REVOKE ALL ON %I FROM houfu_app', found);
    END LOOP;
END $$;
-- They know no merchant; a row is of the merchant of whose login it is, and until there is one, of sign-in alone.
DO $$ DECLARE thing record; BEGIN
    FOR thing IN SELECT * FROM (VALUES
        ('auth_user', 'SELECT FROM people_login l WHERE l.user_id = auth_user.id'),
        ('account_emailaddress', 'SELECT FROM people_login l WHERE l.user_id = account_emailaddress.user_id'),
        ('mfa_authenticator', 'SELECT FROM people_login l WHERE l.user_id = mfa_authenticator.user_id'),
        ('usersessions_usersession', 'SELECT FROM people_login l WHERE l.user_id = usersessions_usersession.user_id'),
        ('django_session', 'SELECT FROM usersessions_usersession u WHERE u.session_key = django_session.session_key')
    ) AS of (name, login)
    LOOP
        EXECUTE format('ALTER TABLE %1$I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', thing.name);
        EXECUTE format('CREATE POLICY login_v1 ON %1$I TO houfu_app
            USING (CASE (SELECT kernel_merchant_v1()) WHEN -1 THEN true ELSE EXISTS (%2$s) END)
            WITH CHECK (CASE (SELECT kernel_merchant_v1()) WHEN -1 THEN true ELSE EXISTS (%2$s) END)',
            thing.name, thing.login);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE (password, last_login) ON auth_user TO houfu_app;
GRANT SELECT ON account_emailaddress TO houfu_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON django_session, mfa_authenticator, usersessions_usersession TO houfu_app;
